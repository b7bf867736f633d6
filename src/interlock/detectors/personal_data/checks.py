"""Which numbers can be what they look like: check digits, prefixes, lengths. Each takes them without separators."""

import re

# ISO/IEC 7812 prefixes in use and the lengths that are issued: (first, last, lengths).
# Visa's old 13 digits and Maestro's 12 to 15 are left out: article numbers look like them.
ISSUERS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({16, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),  # Mastercard, since 2017
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),
    ("6011", "6011", frozenset({16, 19})),  # Discover
    ("644", "659", frozenset({16, 19})),
    ("3528", "3589", frozenset({16})),  # JCB
    ("300", "305", frozenset({14})),  # Diners Club
    ("36", "36", frozenset({14})),
    ("38", "39", frozenset({14})),
    ("62", "62", frozenset({16, 17, 18, 19})),  # UnionPay
    ("6759", "6759", frozenset({16, 18, 19})),  # Maestro
    ("6761", "6763", frozenset({16, 18, 19})),
    ("2200", "2204", frozenset({16})),  # Mir
)
# The IBAN registry of SWIFT, release 99: characters in all, by country.
IBAN_LENGTHS = dict(
    pair.split(":")
    for pair in (
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 "
        "DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 "
        "IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 "
        "MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 "
        "SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
    ).split()
)
LONGEST_IBAN = 33
# ITU-T E.164: the country codes in use. Two digits if no country's code of three begins with them.
_COUNTRY = re.compile(
    r"1|7|2(?:0|7|1[1-368]|[2-46]\d|5[0-8]|9[01789])|3(?:[0-469]|5\d|7\d|8[0-35-79])|4(?:[013-9]|2[013])"
    r"|5(?:[1-8]|0\d|9\d)|6(?:[0-6]|7[02-9]|8[0-35-9]|9[0-2])|8(?:[1246]|0[08]|5[02356]|7[08]|8[0-368])"
    r"|9(?:[0-58]|6[0-8]|7[0-79]|9[2-68])"
)
# Where a number within the country may begin with 0: Italy, the Vatican, Côte d'Ivoire, Gabon, Congo.
_ZERO_KEPT = frozenset({"39", "379", "225", "241", "242"})
# From the shortest mobile numbers in use to the most that E.164 allows.
LEAST_DIGITS, MOST_DIGITS = 9, 15
# Norms of the letter behind the digits: Spain's DNI and NIE (Real Decreto 1553/2005).
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
# Values of characters at odd places of the Italian fiscal code (D.M. 23 December 1976), and the digits' stand-ins.
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
    25, 24, 23,
), strict=True))  # fmt: skip
# Verhoeff's tables (1969), by which Aadhaar numbers are checked.
_VERHOEFF_TIMES = tuple(
    tuple(map(int, row))
    for row in (
        "0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210"
    ).split()
)
_VERHOEFF_TURN = tuple(
    tuple(map(int, row))
    for row in "0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258".split()
)


def card(digits: str) -> bool:
    """Whether an issuer hands out numbers like this one, and its check digit (Luhn) is right."""
    issued = any(first <= digits[: len(first)] <= last and len(digits) in lengths for first, last, lengths in ISSUERS)
    return issued and sum(sum(divmod(int(d) * (1 + n % 2), 10)) for n, d in enumerate(reversed(digits))) % 10 == 0


def iban(text: str) -> bool:
    """ISO 13616: the check digits of an account number of a known country, in capitals."""
    if str(len(text)) != IBAN_LENGTHS.get(text[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def phone(digits: str, *, zero: bool) -> bool:
    """E.164 without the plus sign. `zero` says that a zero in brackets stood in it, as `+44 (0)20`."""
    country = _COUNTRY.match(digits)
    if country is None or not LEAST_DIGITS <= len(digits) <= MOST_DIGITS:
        return False
    rest = digits[country.end() :]
    if country.group() == "1":
        return len(rest) == 10 and rest[0] >= "2" and rest[3] >= "2"
    return not rest.startswith("0") or zero or country.group() in _ZERO_KEPT


def us_ssn(digits: str) -> bool:
    """A social security number that can have been given out: no group is all zeros."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def de_tax_id(digits: str) -> bool:
    """Germany's tax id: one digit of the first ten comes twice or thrice; ISO 7064 MOD 11,10."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if digits[0] == "0" or counts[-1] not in (2, 3) or len(counts) < 8:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def nl_bsn(digits: str) -> bool:
    """The Dutch citizen service number: the test of eleven."""
    return int(digits) > 0 and (sum(int(d) * (9 - n) for n, d in enumerate(digits[:8])) - int(digits[8])) % 11 == 0


def es_id(text: str) -> bool:
    """Spain's DNI, or NIE with X, Y or Z for the first digit, in capitals: the letter is the number modulo 23."""
    number = int(text[:-1].translate(str.maketrans("XYZ", "012")))
    return _DNI_LETTERS[number % 23] == text[-1]


def fr_nir(digits: str) -> bool:
    """France's social security number with its key of two digits; Corsica's 2A and 2B count as 19 and 18."""
    number = digits[:13].replace("2A", "19").replace("2B", "18")
    return int(number) % 97 + int(digits[13:]) == 97


def pl_pesel(digits: str) -> bool:
    """Poland's PESEL: a date of birth, whose month also tells the century, and a check digit."""
    weighed = sum(int(d) * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True))
    return 1 <= int(digits[2:4]) % 20 <= 12 and 1 <= int(digits[4:6]) <= 31 and weighed % 10 == 0


def in_aadhaar(digits: str) -> bool:
    """India's Aadhaar number: Verhoeff's check digit."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_TIMES[check][_VERHOEFF_TURN[place % 8][int(digit)]]
    return check == 0


def br_cpf(digits: str) -> bool:
    """Brazil's CPF: two check digits; eleven equal digits are none."""

    def check(count: int) -> int:
        return sum(int(d) * (count + 1 - n) for n, d in enumerate(digits[:count])) * 10 % 11 % 10

    return len(set(digits)) > 1 and (check(9), check(10)) == (int(digits[9]), int(digits[10]))


def it_fiscal_code(text: str) -> bool:
    """Italy's fiscal code, in capitals: the last letter is a weighed sum of the others."""
    total = sum(int(c, 36) % 10 if c.isdigit() else ord(c) - ord("A") for c in text[1:15:2])
    return chr((total + sum(_ODD[c] for c in text[0:15:2])) % 26 + ord("A")) == text[15]


def cn_resident_id(text: str) -> bool:
    """China's resident id (GB 11643-1999): ISO 7064 MOD 11-2."""
    total = sum(int(digit) * (2 ** (17 - n) % 11) for n, digit in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17]


def uk_nino(text: str) -> bool:
    """A UK national insurance number, in capitals, whose prefix is given out. It has no check digit."""
    return text[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")
