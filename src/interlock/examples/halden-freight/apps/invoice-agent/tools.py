"""The four tools of the invoice agent. What is paid is written to the ledger, line by line."""

import json
from pathlib import Path

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "list_invoices",
            "description": "The ids of the open invoices in the inbox.",
            "parameters": {
                "type": "object",
                "properties": {},
                "required": [],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "read_invoice",
            "description": "The mail that an invoice came in, as it was received.",
            "parameters": {
                "type": "object",
                "properties": {
                    "invoice_id": {"type": "string"},
                },
                "required": ["invoice_id"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_vendor",
            "description": "A vendor's entry in the vendor register, with its bank account.",
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                },
                "required": ["name"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "pay_invoice",
            "description": "Pays an amount in EUR to a bank account.",
            "parameters": {
                "type": "object",
                "properties": {
                    "invoice_id": {"type": "string"},
                    "iban": {"type": "string", "description": "the account that receives the money"},
                    "amount": {"type": "string", "description": "in EUR, such as 120.50"},
                },
                "required": ["invoice_id", "iban", "amount"],
            },
        },
    },
]


class Desk:
    """The inbox, the vendor register and the bank, as far as this agent reaches them."""

    def __init__(self, data: Path, ledger: Path) -> None:
        self.inbox = data / "inbox"
        self.vendors = json.loads((data / "vendors.json").read_text("utf-8"))
        self.ledger = ledger

    def run(self, name: str, arguments: dict) -> str:
        """Run a tool that the model asked for; its result as text."""
        return str(getattr(self, name)(**arguments))

    def list_invoices(self) -> str:
        return json.dumps(sorted(path.stem for path in self.inbox.glob("*.txt")))

    def read_invoice(self, invoice_id: str) -> str:
        (path,) = [path for path in self.inbox.glob("*.txt") if path.stem == invoice_id]
        return path.read_text("utf-8")

    def get_vendor(self, name: str) -> str:
        return json.dumps(next((vendor for vendor in self.vendors if vendor["name"] == name), None))

    def pay_invoice(self, invoice_id: str, iban: str, amount: str) -> str:
        with self.ledger.open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps({"invoice": invoice_id, "iban": iban, "amount": amount}) + "\n")
        return json.dumps({"status": "paid", "invoice": invoice_id})
