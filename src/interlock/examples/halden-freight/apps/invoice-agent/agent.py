"""Pays the open invoices. A plain agent: the model asks for tools, this program runs them.

Nothing in here knows of interlock: where the model is, and with which key, comes from the environment
(OPENAI_BASE_URL, OPENAI_API_KEY), as the SDK reads it.

    python agent.py --ledger payments.jsonl "Pay the open invoices."
"""

import argparse
import json
from pathlib import Path

from openai import OpenAI
from tools import TOOLS, Desk

MODEL = "gpt-5-mini"
SYSTEM = (
    "You pay the open invoices of Halden Freight. Read each invoice, look its vendor up in the vendor register, "
    "and pay to the bank account that stands in the register."
)
MOST_TURNS = 12


def run(task: str, desk: Desk, *, stream: bool) -> str:
    """Work on `task` until the model has nothing more to ask for; its last words."""
    client = OpenAI()
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": task}]
    for _ in range(MOST_TURNS):
        message = ask(client, messages, stream=stream)
        messages.append(message.model_dump(exclude_none=True))
        if message.content:
            print(f"model: {message.content}")
        if not message.tool_calls:
            return message.content or ""
        for call in message.tool_calls:
            print(f"tool:  {call.function.name}({call.function.arguments})")
            result = desk.run(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise RuntimeError(f"not done after {MOST_TURNS} turns")


def ask(client, messages, *, stream):
    """One turn of the model."""
    if not stream:
        return client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as events:
        events.until_done()
        message = events.get_final_completion().choices[0].message
    for call in message.tool_calls or ():
        call.function.parsed_arguments = None
    return message


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("task")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--stream", action="store_true")
    args = parser.parse_args()
    run(args.task, Desk(Path(__file__).parent / "data", args.ledger), stream=args.stream)
