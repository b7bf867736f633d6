"""The texts to learn from: each with its family, group and label. Validation sets are read by `bench` alone."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from training.authored.generate import made

SEED = 5
AUTHORED = 6_000
LONGEST = 6_000
# Which attacks each model learns: those that users write, and those that documents and tools' descriptions hold.
DIRECT = frozenset({"jailbreak_itw", "giskard_pi", "s_labs", "neuralchemy_core", "hinglish"})
INDIRECT = frozenset({"asb_opi", "email_agent_attacks", "garak_indirect", "piarena", "mcp_poisoned"})
# What users write; all else is what documents hold.
ASKED = frozenset(
    "awesome_prompts banking77 fuzzyai self_instruct_seeds do_not_answer tatoeba_multi taskmaster s_labs "
    "neuralchemy_core hinglish".split()
)
# Requests for harm are no attack on the model: they are what an injection detector must not flag.
HARM = "harmful_request"
SPACE = re.compile(r"\s+")


class Example(NamedTuple):
    """A text to learn from. `group` is user, document or tool."""

    text: str
    attack: bool
    family: str
    group: str


def load(folder: Path) -> list[Example]:
    """Every example of `folder` (text/train, mcp_tools), and the authored ones; each text once, the first family's."""
    found: list[Example] = []
    for path in sorted((folder / "text/train").glob("*.jsonl")):
        family = path.stem
        for line in path.open("rb"):
            row = json.loads(line)
            attack = row["label"] == "attack" and row["kind"] != HARM
            group = "user" if family in (DIRECT if attack else ASKED) else "document"
            if row["kind"] == "tool_description":
                group = "tool"
            found.append(Example(row["text"][:LONGEST], attack, family, group))
    found += _tools(folder / "mcp_tools")
    documents = [one.text for one in found if one.group == "document" and not one.attack and len(one.text) < 3_000]
    found += [Example(text, attack, "authored", group) for text, attack, group in made(AUTHORED, documents[::3], SEED)]
    return _once(found)


def described(tool: dict[str, object]) -> str:
    """A tool as the gateway reads it: its description, then its schema."""
    return f"{tool['description']}\n{json.dumps(tool['inputSchema'], ensure_ascii=False)}"


def _tools(folder: Path) -> list[Example]:
    found = [
        Example(described(json.loads(line)), False, "mcp_tools", "tool") for line in (folder / "dev.jsonl").open("rb")
    ]
    for line in (folder / "poisoned_dev.jsonl").open("rb"):
        row = json.loads(line)
        found.append(Example(described(row["poisoned"]), True, "mcp_poisoned", "tool"))
        found.append(Example(described(row["clean"]), False, "mcp_poisoned", "tool"))
    return found


def _once(found: list[Example]) -> list[Example]:
    seen: dict[str, bool] = {}
    labels: dict[str, set[bool]] = defaultdict(set)
    keys = [SPACE.sub(" ", one.text).strip().lower() for one in found]
    for key, one in zip(keys, found, strict=True):
        labels[key].add(one.attack)
    kept = []
    for key, one in zip(keys, found, strict=True):
        # A text that is both is neither.
        if key and key not in seen and len(labels[key]) == 1:
            seen[key] = True
            kept.append(one)
    return kept
