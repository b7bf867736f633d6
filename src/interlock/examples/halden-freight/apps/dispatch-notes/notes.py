"""Writes a short note for a driver from the day's stops."""

import os

from openai import OpenAI

MODEL = os.environ.get("NOTES_MODEL", "gpt-5-mini")

client = OpenAI(base_url="http://llm.halden.example/v1")


def note(stops: list[str]) -> str:
    """A note in plain words, for one driver."""
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "You write short, friendly notes for lorry drivers."},
            {"role": "user", "content": "Today's stops: " + "; ".join(stops)},
        ],
    )
    return answer.choices[0].message.content or ""
