"""Labelled secrets and personal numbers in sentences, with near misses: made from the published forms, seeded.

What it measures is whether they are found with their exact place among words, code and other numbers, and whether what
is almost one is let pass. It does not measure whether the forms themselves are the world's: they are the detectors' own.
"""

import re
import re._constants as constants
import re._parser as parser
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from interlock.detectors.named_secret import holds_name
from interlock.detectors.personal_data import NUMBERS, checks
from interlock.detectors.personal_data.national import NATIONAL
from interlock.knowledge import Credential, credentials, secrets

EACH = 8
SEED = 11
LEFT_OUT = frozenset({"gcp_service_account", "langfuse_public", "jwt", "slack_app", "azure_ad_secret", "private_key", "interlock"})  # fmt: skip
SENTENCES = (
    "Please use {} from now on.", "The value is {}, as agreed.", '{{"value": "{}", "count": 3}}', "Hi Ann,\n\n{}\n\nBest, Tom", "see `{}` in the notes",
    "2024-11-20 INFO started with {} in 12 ms", "| name | {} | yes |", "({})",
)  # fmt: skip


class Case(NamedTuple):
    """A text, what should be flagged in it (nothing, if it is a near miss), and of what kind it is."""

    text: str
    piece: str
    kind: str


def cases() -> Iterator[Case]:
    """All of them."""
    random = Random(SEED)
    for credential in (*credentials(), *secrets()):
        if credential.id not in LEFT_OUT:
            yield from _secrets(credential, random)
    for national in NATIONAL:
        word = national.words.split()[0] + ": " if national.words else ""
        yield from _numbers(national.form, _cleaned(national.valid), word, "personal number", random)
    for number in NUMBERS[: len(NUMBERS) - len(NATIONAL)]:
        word = (
            {"phone": "phone ", "us_ssn": "SSN ", "es_id": "DNI "}.get(number.rule, f"{number.rule.split('_')[-1]} ")
            if number.words
            else ""
        )
        if number.rule != "phone" and number.rule != "de_tax_id":
            form = number.form.pattern.split(")", 1)[1].removesuffix(r"(?![0-9A-Za-z_@]|[.\-/]\d)")
            yield from _numbers(form, number.valid, "TIN " if number.rule == "de_tax_id" else word, number.rule, random)
    yield from _ibans(random)
    for _ in range(40):
        name, host = _letters(random, 7), _letters(random, 6)
        yield _placed(f"{name}.{_letters(random, 4)}@{host}.example", "", "email", random)
        yield Case(random.choice(SENTENCES).format(f"icon_{name}@2x.png"), "", "email")
        yield Case(random.choice(SENTENCES).format(f"git@github.com:{name}/{host}.git"), "", "email")


def _secrets(credential: Credential, random: Random) -> Iterator[Case]:
    expression = re.compile(credential.regex)
    for number in range(EACH):
        made = made_from(credential.regex, random)
        match = expression.search(made)
        if match is None:
            continue
        piece = (
            match.group(1)
            if expression.groups and (credential.needs_context or holds_name(credential))
            else match.group()
        )
        before = f"{credential.id.split('_')[0]} " if credential.needs_context and not expression.groups else ""
        yield _placed(made, before, "secret", random, piece)
        cut = piece[: max(4, len(piece) // 3)]
        if number % 2 and "=" not in piece and not expression.search(cut):
            yield Case(random.choice(SENTENCES).format(before + made.replace(piece, cut)), "", "secret")


def _numbers(form: str, valid: Callable[[str], bool], word: str, kind: str, random: Random) -> Iterator[Case]:
    found = missed = 0
    for _ in range(20_000):
        text = made_from(form, random)
        if valid(text) and found < EACH:
            found += 1
            yield _placed(text, word, kind, random)
        elif not valid(text) and missed < EACH:
            missed += 1
            yield Case(random.choice(SENTENCES).format(word + text), "", kind)
        if found == missed == EACH:
            return


def _ibans(random: Random) -> Iterator[Case]:
    for country, length in list(checks.IBAN_LENGTHS.items())[:40]:
        body = "".join(random.choice("0123456789") for _ in range(int(length) - 4))
        rest = int("".join(str(int(c, 36)) for c in f"{body}{country}00")) % 97
        for shift in (0, 3):
            text = f"{country}{(98 - rest + shift) % 97:02}{body}"
            if random.random() < 0.5:
                text = " ".join(text[n : n + 4] for n in range(0, len(text), 4))
            if checks.iban(text.replace(" ", "")) is (shift == 0):
                yield (
                    _placed(text, "", "iban", random)
                    if shift == 0
                    else Case(random.choice(SENTENCES).format(text), "", "iban")
                )


def _placed(text: str, before: str, kind: str, random: Random, piece: str = "") -> Case:
    return Case(random.choice(SENTENCES).format(before + text), piece or text, kind)


def _cleaned(valid: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: valid(re.sub(r"[^0-9A-Za-z]", "", text).upper())


def _letters(random: Random, count: int) -> str:
    return "".join(random.choice("abcdefghijklmnoprstuvw") for _ in range(count))


def made_from(expression: str, random: Random) -> str:
    """A text that an expression matches."""
    return _made(parser.parse(expression), random, {})


def _made(parts: Any, random: Random, groups: dict[int, str]) -> str:
    out = ""
    for what, detail in parts:
        match what:
            case constants.LITERAL:
                out += chr(detail)
            case constants.NOT_LITERAL | constants.ANY:
                out += "k"
            case constants.IN:
                out += random.choice(_members(detail))
            case constants.MAX_REPEAT | constants.MIN_REPEAT:
                least, most, inner = detail
                for _ in range(random.randint(least, min(int(most), least + 6))):
                    out += _made(inner, random, groups)
            case constants.SUBPATTERN:
                said = _made(detail[3], random, groups)
                if detail[0]:
                    groups[detail[0]] = said
                out += said
            case constants.GROUPREF:
                out += groups.get(detail, "")
            case constants.BRANCH:
                out += _made(random.choice(detail[1]), random, groups)
    return out


_CLASSES = {
    constants.CATEGORY_DIGIT: "0123456789",
    constants.CATEGORY_WORD: "abcXYZ0189_",
    constants.CATEGORY_SPACE: " ",
}


def _members(parts: Any) -> str:
    members = ""
    for what, detail in parts:
        match what:
            case constants.NEGATE:
                return "kqzw7"
            case constants.LITERAL:
                members += chr(detail)
            case constants.RANGE:
                members += "".join(map(chr, range(detail[0], detail[1] + 1)))
            case constants.CATEGORY:
                members += _CLASSES[detail]
    return members
