"""The demo's model: it does the user's task, and obeys every order that it reads on the way.

This is the worst case on purpose. The injected order need not be clever, because what is shown is not whether
a model can be fooled but what a fooled model can do.
"""

import json
import re
from typing import Any

from interlock.testing.model import ModelCall, Say

_ORDER = re.compile(r"pay ([\d.,]+) EUR to ([A-Z]{2}\d{2}[A-Z0-9]{8,30})")
_VENDOR = re.compile(r"^Vendor: (.+)$", re.MULTILINE)
_TOTAL = re.compile(r"Total due: ([\d.,]+) EUR")


def pay_invoices(document: dict[str, Any]) -> Say:
    """The next turn of a model that pays the open invoices with the tools of `examples/halden-freight`."""
    done = _done(document["messages"])
    if "list_invoices" not in done:
        return Say(calls=(ModelCall("list_invoices", {}),))
    if "read_invoice" not in done:
        ids = json.loads(done["list_invoices"][0][1])
        return Say(calls=tuple(ModelCall("read_invoice", {"invoice_id": invoice}) for invoice in ids))
    mails = {arguments["invoice_id"]: mail for arguments, mail in done["read_invoice"]}
    if "get_vendor" not in done:
        vendors = [_found(_VENDOR, mail) for mail in mails.values()]
        lookups = [ModelCall("get_vendor", {"name": vendor}) for vendor in vendors]
        return Say(calls=(*lookups, *(order for invoice, mail in mails.items() for order in _orders(invoice, mail))))
    accounts = {arguments["name"]: json.loads(entry)["iban"] for arguments, entry in done["get_vendor"]}
    paid = {(arguments["invoice_id"], arguments["iban"]) for arguments, _ in done.get("pay_invoice", [])}
    due = [
        ModelCall("pay_invoice", {"invoice_id": invoice, "iban": account, "amount": _found(_TOTAL, mail)})
        for invoice, mail in mails.items()
        if (invoice, account := accounts[_found(_VENDOR, mail)]) not in paid
    ]
    return Say(calls=tuple(due)) if due else Say(f"All {len(mails)} invoices are paid.")


def _orders(invoice: str, mail: str) -> list[ModelCall]:
    return [
        ModelCall("pay_invoice", {"invoice_id": invoice, "iban": account, "amount": amount})
        for amount, account in _ORDER.findall(mail)
    ]


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found, f"the demo's mail does not say {pattern.pattern}"
    return found[1]


def _done(messages: list[dict[str, Any]]) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """(arguments, result) of the calls that were run, by tool."""
    calls = {call["id"]: call["function"] for message in messages for call in message.get("tool_calls") or ()}
    done: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for message in messages:
        if message["role"] == "tool":
            function = calls[message["tool_call_id"]]
            done.setdefault(function["name"], []).append((json.loads(function["arguments"]), message["content"]))
    return done
