"""What identifies a person: addresses, account and phone numbers, and the numbers that states give to people.

What: e-mail addresses, payment cards, IBAN, phone numbers, passport and medical record numbers, and the numbers that
over 40 states give to people (see `checks` and `national`). A number counts if its prefix, length and check digits are
right; where that says little, a word such as `phone` or `ssn` must stand within 48 characters before it, and
the nearest such word decides. Why: it may be no business of the model, of who reads its answer, or of the log.
Limits: names, postal addresses and dates of birth have no form that can be recognised, and are not seen; nor are
numbers that are spelled out or broken up, or that other states give out. IP addresses are not taken
for persons.
"""

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from interlock.detectors import Detector
from interlock.detectors.personal_data import checks
from interlock.detectors.personal_data.national import FORMS, NATIONAL
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Confidence, Example, Maturity, Meta, Severity

ID = "personal-data"
# RFC 5321, 4.5.3.1: what stands before the sign. Behind it: at most nine labels of 63, and what follows them.
LONGEST_LOCAL = 64
LONGEST_DOMAIN = 9 * 64 + 8
LONGEST = LONGEST_LOCAL + LONGEST_DOMAIN
# A word that says what a number is stands in the same line or field.
NEAR = 48
# Two letters before grouped digits, and as many groups as the longest account number has, are shorter than this.
LONGEST_GROUPED = 48
REACH = LONGEST + NEAR

_SPACE = " \u00a0\u202f"
_BREAK = rf"[{_SPACE}\-\u2011]"
_LEFT = r"(?<![0-9A-Za-z_.+/\-])"
_RIGHT = r"(?![0-9A-Za-z_@]|[.\-/]\d)"
_LETTER = "\u00c0-\u024f\u0370-\u052f"
# Ends of file names that look like a domain (`icon@2x.png`) and of services, and that no domain has.
_NO_DOMAIN = frozenset("png jpg jpeg gif svg webp avif ico css js ts jsx tsx json html htm xml yaml yml toml txt pdf "
                       "service socket target timer mount slice scope".split())  # fmt: skip
_LOCAL = re.compile(rf"[0-9A-Za-z_{_LETTER}][0-9A-Za-z_.%+{_LETTER}-]*(?:'[0-9A-Za-z_.%+{_LETTER}-]+)?\Z")
_DOMAIN = re.compile(
    rf"(?:@|%40)(?:[0-9A-Za-z{_LETTER}-]{{1,63}}\.){{1,8}}([A-Za-z{_LETTER}]{{2,24}}|xn--[0-9A-Za-z-]{{2,59}})"
    rf"(?![0-9A-Za-z_{_LETTER}-])"
)
# Whole words only: one whose beginning is too far away says nothing.
_WORD = re.compile("(?<![A-Za-z\u00c0-\u00ff])[A-Za-z\u00c0-\u00ff]+")
# What a word says of the number behind it. `other` says that it is none of a person.
_SAYS = {
    word: kind
    for kind, words in {
        "phone": "phone phones telephone cellphone mobile mobilephone homephone workphone phonenumber mobilenumber "
        "telephonenumber whatsapp tel telefon telefono teléfono telefoon telefonnummer téléphone rufnummer fax "
        "faxnumber cell call dial sms handy mob movil móvil portable",
        "ssn": "ssn",
        "security": "security",
        "de_tax_id": "steuer steueridentifikationsnummer steueridnr steuerid identifikationsnummer idnr tin",
        "nl_bsn": "bsn burgerservicenummer sofinummer",
        "es_id": "dni nie nif",
        "pl_pesel": "pesel",
        "uk_nino": "nino ni insurance",
        "in_aadhaar": "aadhaar aadhar uidai",
        "br_cpf": "cpf",
        "other": "order invoice ticket tracking reference ref isbn serial version article sku",
    }.items()
    for word in words.split()
}
_SAYS |= {word: word for national in NATIONAL for word in national.words.split() if word not in _SAYS}
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1(?:19|20)?\d\d(?!\d)")
_NO_DIGIT = re.compile(r"[^0-9]")
_NO_CHAR = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class _Number:
    """A form of number. `words` are what of `_SAYS` one must be said before it; none means no need.

    `before` is how many characters it may have before its first digit.
    """

    rule: str
    score: int
    form: re.Pattern[str]
    valid: Callable[[str], bool]
    words: frozenset[str]
    before: tuple[int, ...]


def _number(
    rule: str, score: int, form: str, valid: Callable[[str], bool], *words: str, before: tuple[int, ...] = (0,)
) -> _Number:
    return _Number(rule, score, re.compile(f"{_LEFT}({form}){_RIGHT}", re.ASCII), valid, frozenset(words), before)


def _digits(valid: Callable[[str], bool], text: str) -> bool:
    return valid(_NO_DIGIT.sub("", text))


def _chars(valid: Callable[[str], bool], text: str) -> bool:
    return valid(_NO_CHAR.sub("", text).upper())


def _phone(text: str) -> bool:
    digits = _NO_DIGIT.sub("", text)
    grouped = len(digits) < len(text) - 1
    return len(digits) >= checks.LEAST_DIGITS + (not grouped) and checks.phone(digits, zero="(0)" in text)


def _national_phone(text: str) -> bool:
    return len(_NO_DIGIT.sub("", text)) >= checks.LEAST_DIGITS and _DATE.match(text) is None


_GAP = rf"(?:[{_SPACE}.\-\u2011/()]{{0,3}})"
# The letters that the prefix of a UK national insurance number has.
_NINO = "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
NUMBERS: tuple[_Number, ...] = (
    _number(
        "card", 950,
        rf"[2-6]\d{{13,18}}|[2-6]\d{{3}}({_BREAK})\d{{4}}\2\d{{4}}\2\d{{4}}(?:\2\d{{3}})?"
        rf"|3[47]\d{{2}}({_BREAK})\d{{6}}\3\d{{5}}|3\d{{3}}({_BREAK})\d{{6}}\4\d{{4}}",
        partial(_digits, checks.card),
    ),
    _number("phone", 900, rf"\+\(?[1-9](?:{_GAP}\d){{7,14}}", _phone, before=(1, 2)),
    _number(
        "phone", 800,
        rf"(?:1[-. ])?\(?[2-9]\d{{2}}\)?[-. ]{{1,2}}[2-9]\d{{2}}[-. ]\d{{4}}"
        rf"|\(?0\d{{1,5}}\)?(?:[{_SPACE}./\-]{{1,3}}\d{{1,8}}){{1,6}}"
        r"|[5-9]\d{2}[ -]\d{2,3}[ -]\d{2,3}(?:[ -]\d{2})?",
        _national_phone, "phone", before=(0, 1),
    ),
    _number("us_ssn", 900, r"\d{3}([ -])\d{2}\2\d{4}", partial(_digits, checks.us_ssn), "ssn", "security"),
    _number("us_ssn", 800, r"\d{9}", checks.us_ssn, "ssn"),
    _number("de_tax_id", 900, r"\d{2} ?\d{3} ?\d{3} ?\d{3}", partial(_digits, checks.de_tax_id), "de_tax_id"),
    _number("nl_bsn", 900, r"\d{4}[. ]?\d{2}[. ]?\d{3}", partial(_digits, checks.nl_bsn), "nl_bsn"),
    _number("es_id", 900, r"(?:\d{8}|[XYZxyz]-?\d{7})-?[A-Za-z]", partial(_chars, checks.es_id), "es_id",
            before=(0, 1, 2)),
    _number("fr_nir", 950, rf"[12](?:[{_SPACE}]?\d{{2}}){{3}}(?:[{_SPACE}]?\d{{3}}){{2}}[{_SPACE}]?\d{{2}}"
            r"|[12]\d{4}2[ABab]\d{8}", partial(_chars, checks.fr_nir)),
    _number("pl_pesel", 900, r"\d{11}", checks.pl_pesel, "pl_pesel"),
    _number("uk_nino", 850, rf"{_NINO} \d\d \d\d \d\d [A-D]", checks.uk_nino, before=(3,)),
    _number("uk_nino", 850, rf"{_NINO}\d{{6}}[A-D]", checks.uk_nino, "uk_nino", before=(2,)),
    _number("in_aadhaar", 900, r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", partial(_digits, checks.in_aadhaar), "in_aadhaar"),
    _number("br_cpf", 950, r"\d{3}\.\d{3}\.\d{3}-\d{2}", partial(_digits, checks.br_cpf)),
    _number("br_cpf", 900, r"\d{11}", checks.br_cpf, "br_cpf"),
    _number(
        "it_fiscal_code", 950, r"[A-Za-z]{6}\d{2}[A-EHLMPR-Ta-ehlmpr-t]\d{2}[A-Za-z]\d{3}[A-Za-z]",
        partial(_chars, checks.it_fiscal_code), before=(6,),
    ),
    _number(
        "cn_resident_id", 950, r"[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]",
        partial(_chars, checks.cn_resident_id),
    ),
)  # fmt: skip
NUMBERS += tuple(
    _number(
        one.rule, 900, one.form, partial(_chars, one.valid), *(_SAYS[word] for word in one.words.split()),
        before=one.before,
    )
    for one in NATIONAL
)  # fmt: skip
_DIGITS = re.compile("[0-9]+")
# What a number begins with that does not begin with a digit.
_BEFORE = frozenset(string.ascii_letters + "+(-")
_IBAN = re.compile(rf"{_LEFT}[A-Za-z]{{2}}\d\d[{_SPACE}]?[0-9A-Za-z]", re.ASCII)
_AFTER = re.compile(_RIGHT, re.ASCII)

# What may still become a number with groups in it stands at the end: digits and what may be between them.
_BETWEEN = f"0123456789()+./-{_SPACE}\u2011"
_NUMBER = re.compile(r"[0-9(+]")
_TWO_LETTERS = re.compile(rf"(?<![0-9A-Za-z])[A-Za-z]{{2}}[{_SPACE}]\Z")
_LETTERED = re.compile(
    rf"(?<![0-9A-Za-z])[A-Za-z]{{2}}[{_SPACE}]?(?:\d(?:[{_SPACE}]?[0-9A-Za-z]){{0,33}})?[{_SPACE}.\-/]?\Z"
)


def _detect(text: str) -> tuple[Signal, ...]:
    found = [*_emails(text), *_numbers(text)]
    found.sort(key=lambda signal: (signal.span.start, -signal.span.end))
    outer: list[Signal] = []
    for signal in found:
        if not outer or signal.span.end > outer[-1].span.end:
            outer.append(signal)
    return tuple(outer)


def _emails(text: str) -> Iterator[Signal]:
    """Looks back from each sign: what stands before it does not depend on where an earlier address ends."""
    for match in _DOMAIN.finditer(text):
        at = match.start()
        near = max(0, at - LONGEST_LOCAL - 1)
        local = _LOCAL.search(text[near:at])
        if local is None or at - near - local.start() > LONGEST_LOCAL:
            continue
        start = near + local.start()
        # `git@github.com` is how code is fetched; behind a slash stands who signs in to a server.
        if local.group() != "git" and text[start - 1 : start] != "/" and match[1].lower() not in _NO_DOMAIN:
            yield Signal(ID, "email", 950, Span(start, match.end()))


def _numbers(text: str) -> Iterator[Signal]:
    """Tries every form at every group of digits: a number may begin within what looked like another one."""
    for digits in _DIGITS.finditer(text):
        at = digits.start()
        if at > 1 and (iban := _iban(text, at - 2)):
            yield iban
        said: dict[int, str | None] = {}
        for number in NUMBERS:
            for before in number.before:
                start = at - before
                if start < 0 or (before and text[start] not in _BEFORE):
                    continue
                if number.words:
                    if start not in said:
                        said[start] = _word_before(text, start)
                    if said[start] not in number.words:
                        continue
                match = number.form.match(text, start)
                if match and number.valid(match[1]):
                    yield Signal(ID, number.rule, number.score, Span(*match.span(1)))


def _iban(text: str, start: int) -> Signal | None:
    """An account number that begins at `start`, in one piece or in groups of four, as it is printed."""
    if not _IBAN.match(text, start):
        return None
    length = int(checks.IBAN_LENGTHS.get(text[start : start + 2].upper(), 0))
    end, count = start, 0
    while count < length and end < len(text):
        char = text[end]
        if char.isascii() and char.isalnum():
            count += 1
        elif char not in _SPACE or text[end - 1] in _SPACE or count % 4:
            return None
        end += 1
    if not count or count < length or not _AFTER.match(text, end):
        return None
    number = "".join(c for c in text[start:end].upper() if c not in _SPACE)
    return Signal(ID, "iban", 980, Span(start, end)) if checks.iban(number) else None


def _word_before(text: str, at: int) -> str | None:
    """What the nearest word before `at` says that a number is."""
    words = _WORD.findall(text, max(0, at - NEAR), at)
    return next((_SAYS[word] for word in map(str.lower, reversed(words)) if word in _SAYS), None)


def _pending(text: str) -> int:
    """Where a number or address may begin that the end cuts off, or the word before it that says what it is.

    Later numbers look for their word behind here as well: the nearest one is never further back.
    """
    end = len(text)
    floor = end - LONGEST if end > LONGEST else 0
    at = max(floor, text.rfind(" ", floor) + 1, text.rfind("\n", floor) + 1)
    if _NUMBER.search(text, floor):
        if begins := _NUMBER.search(text, floor + len(text[floor:].rstrip(_BETWEEN))):
            at = min(at, begins.start())
        if lettered := _LETTERED.search(text, max(0, end - LONGEST_GROUPED)):
            at = min(at, lettered.start())
    elif text[-1:] in _SPACE and (letters := _TWO_LETTERS.search(text, max(0, end - 4))):
        at = letters.start()
    near = at - NEAR if at > NEAR else 0
    if near == at or _SAYS.keys().isdisjoint(map(str.lower, _WORD.findall(text, near, at))):
        return at
    return max(word.start() for word in _WORD.finditer(text, near, at) if word.group().lower() in _SAYS)


_FORMS = (
    rf"[0-9A-Za-z_.%+{_LETTER}-](?:@|%40)[0-9A-Za-z.{_LETTER}-]*\.[A-Za-z{_LETTER}]",
    rf"\b[A-Za-z]{{2}}\d\d(?:[{_SPACE}]?[0-9A-Za-z]{{4}}){{2}}[{_SPACE}]?[0-9A-Za-z]{{3}}",
    rf"\b[2-6]\d{{3}}(?:\d{{10}}|[{_SPACE}\-\x{{2011}}]\d{{4,6}}[{_SPACE}\-\x{{2011}}]\d{{4}})",
    rf"\+\(?[1-9](?:[{_SPACE}.\-\x{{2011}}/()]{{0,3}}\d){{7}}",
    r"\b[2-9]\d{2}\)?[-. ]{1,2}[2-9]\d{2}[-. ]\d{4}",
    rf"(?:\A|[^0-9A-Za-z_.+/\-])0[\d(){_SPACE}./\-]{{8,}}\d",
    r"\b[5-9]\d{2}[ -]\d{2,3}[ -]\d{2,3}",
    r"\b\d{3}[ -]\d{2}[ -]\d{4}\b",
    r"\b(?:\d{8}|[XYZxyz]-?\d{7})-?[A-Za-z]\b",
    rf"\b[12](?:[{_SPACE}]?\d{{2}}){{3}}(?:[{_SPACE}]?\d{{3}}){{2}}[{_SPACE}]?\d{{2}}\b|\b[12]\d{{4}}2[ABab]\d{{8}}\b",
    r"\b[A-Z]{2} \d\d \d\d \d\d [A-D]\b|\b[A-Z]{2}\d{6}[A-D]\b",
    r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b",
    r"\b[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]\b",
    r"\b[1-8]\d{5}(?:19|20)\d{9}[\dXx]\b",
    r"\b\d{2} ?\d{3} ?\d{3} ?\d{3}\b",
    r"\b[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}\b",
    r"(?i)(?:\A|[^a-z])(?:ssn|bsn|burgerservicenummer|sofinummer)(?:[^a-z]|\z)",
)

DETECTOR = Detector(
    meta=Meta(
        id=ID,
        title="What identifies a person",
        why="Personal data that a prompt or answer carries is with whoever reads it, and in their logs.",
        fix="Leave it out, or let interlock put placeholders in its place on the way to the model.",
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        maturity=Maturity.STABLE,
        refs=("owasp_llm_2025:LLM02:2025",),
        since="0.1.0",
    ),
    channels=frozenset(
        {Channel.USER, Channel.SYSTEM, Channel.TOOL_RESULT, Channel.RETRIEVED, Channel.ASSISTANT, Channel.OUTPUT}
    ),
    marks=(*_FORMS, *FORMS),
    detect=_detect,
    reach=REACH,
    pending=_pending,
    looks_back=True,
    rules=frozenset({"email", "iban", *(number.rule for number in NUMBERS)}),
    examples=(
        Example(
            "a mail's signature",
            (Channel.TOOL_RESULT, "Ada Byron, ada.byron@example.com, +44 20 7946 0958"),
            ("ada.byron@example.com", "+44 20 7946 0958"),
        ),
        Example(
            "account and card",
            (Channel.USER, "From DE89 3704 0044 0532 0130 00, or card 4111-1111-1111-1111."),
            ("DE89 3704 0044 0532 0130 00", "4111-1111-1111-1111"),
        ),
        Example(
            "a word says what it is",
            (Channel.OUTPUT, "Her SSN is 078-05-1120; call (212) 555-0142."),
            ("078-05-1120", "(212) 555-0142"),
        ),
        Example(
            "numbers of states",
            (Channel.OUTPUT, "CPF 529.982.247-25, DNI: 12345678Z"),
            ("529.982.247-25", "12345678Z"),
        ),
        Example(
            "numbers of things",
            (Channel.OUTPUT, "Order 4111111111111112 of 2024-11-24, build 1732459905123456, 192.0.2.1, ref 078-05-112"),
            (),
        ),
    ),
)  # fmt: skip
