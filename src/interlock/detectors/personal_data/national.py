"""Numbers that states give to people, by country: their forms, their check digits, the words that stand before them.

A form that much else has too counts only behind one of its words. Sources: the issuing offices' own descriptions, as
gathered by Wikipedia's article on national identification numbers and by python-stdnum's documentation; read for
their rules. The forms with a longer tradition here are in `checks`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class National(NamedTuple):
    """A form: an expression without groups, what its cleaned text must satisfy, and words of which one must say it.

    `before` is how many letters may stand before its first digit. Cleaned: no separators, capitals.
    """

    rule: str
    form: str
    valid: Callable[[str], bool]
    words: str = ""
    before: tuple[int, ...] = (0,)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    return sum(sum(divmod(int(d) * (1 + n % 2), 10)) for n, d in enumerate(reversed(digits))) % 10 == 0


def _sum(digits: str, weights: Sequence[int]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _date(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def se_personnummer(d: str) -> bool:
    """Sweden: a date and Luhn over ten digits; 60 more on the day for coordination numbers."""
    d = d[-10:]
    return _date(d[2:4], str(int(d[4:6]) % 60)) and luhn(d)


def fi_hetu(t: str) -> bool:
    """Finland: a date, and a letter that is the number modulo 31."""
    return _date(t[2:4], t[:2]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(t[:6] + t[-4:-1]) % 31] == t[-1]


def no_fnr(d: str) -> bool:
    """Norway: two check digits modulo 11."""
    first = _sum(d, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and _sum(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and 1 <= int(d[:2]) % 40 <= 31


def dk_cpr(d: str) -> bool:
    """Denmark: a date; check digits were given up in 2007."""
    return _date(d[2:4], d[:2])


def be_rrn(d: str) -> bool:
    """Belgium: 97 less the number modulo 97, with a 2 before it for those born since 2000."""
    return int(d[-2:]) in (97 - int(d[:9]) % 97, 97 - int("2" + d[:9]) % 97) and int(d[2:4]) % 20 <= 12


def ch_ahv(d: str) -> bool:
    """Switzerland: EAN-13 behind 756."""
    return d.startswith("756") and _sum(d, (1, 3) * 7) % 10 == 0


def at_svnr(d: str) -> bool:
    """Austria: the fourth digit is a weighed sum of the others modulo 11, and a date follows."""
    return d[0] != "0" and _sum(d[:3] + d[4:], (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11 == int(d[3]) and int(d[4:6]) <= 31


def cz_rc(d: str) -> bool:
    """Czechia and Slovakia: ten digits divisible by 11, 50 more on the month for women."""
    return int(d) % 11 == 0 and _date(str(int(d[2:4]) % 50 % 20 or 20), d[4:6])


def pt_nif(d: str) -> bool:
    """Portugal: modulo 11."""
    check = 11 - _sum(d, range(9, 1, -1)) % 11
    return d[0] in "123" and int(d[8]) == (check if check < 10 else 0)


def ie_pps(t: str) -> bool:
    """Ireland: a letter modulo 23, with the second letter weighed."""
    extra = (_LETTERS.index(t[8]) + 1) * 9 if len(t) == 9 and t[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(_sum(t[:7], range(8, 1, -1)) + extra) % 23] == t[7]


def ro_cnp(d: str) -> bool:
    """Romania: a date and modulo 11."""
    check = _sum(d, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return _date(d[3:5], d[5:7]) and int(d[12]) == (1 if check == 10 else check)


def bg_egn(d: str) -> bool:
    """Bulgaria: a date whose month tells the century, and modulo 11."""
    return _date(str(int(d[2:4]) % 20), d[4:6]) and _sum(d, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(d[9])


def hr_oib(d: str) -> bool:
    """Croatia: ISO 7064 MOD 11,10."""
    product = 10
    for digit in d[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(d[10])


def ee_lt_code(d: str) -> bool:
    """Estonia and Lithuania: a date and modulo 11 twice."""
    check = _sum(d, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = _sum(d, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return d[0] in "123456" and _date(d[3:5], d[5:7]) and check == int(d[10])


def tr_tckn(d: str) -> bool:
    """Türkiye: the last two digits."""
    odd, even = sum(map(int, d[0:9:2])), sum(map(int, d[1:8:2]))
    return d[0] != "0" and (odd * 7 - even) % 10 == int(d[9]) and sum(map(int, d[:10])) % 10 == int(d[10])


def za_id(d: str) -> bool:
    """South Africa: a date and Luhn."""
    return _date(d[2:4], d[4:6]) and d[10] in "01" and luhn(d)


def kr_rrn(d: str) -> bool:
    """Korea: a date and modulo 11; numbers given since October 2020 have no check digit."""
    check = (11 - _sum(d, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return _date(d[2:4], d[4:6]) and d[6] in "12345678" and (check == int(d[12]) or (d[:2] >= "20" and d[6] in "3478"))


def jp_my_number(d: str) -> bool:
    """Japan: modulo 11."""
    check = 11 - _sum(d, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return int(d[11]) == (check if check < 10 else 0)


def tw_id(t: str) -> bool:
    """Taiwan: the letter as two digits, modulo 10."""
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(t[0]) + 10
    return (code // 10 + code % 10 * 9 + _sum(t[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def hk_id(t: str) -> bool:
    """Hong Kong: modulo 11, the check digit in brackets."""
    total = 36 * 9 + (ord(t[0]) - 55) * 8 + _sum(t[1:7], range(7, 1, -1))
    return (total + (10 if t[7] == "A" else int(t[7]))) % 11 == 0


def sg_nric(t: str) -> bool:
    """Singapore: a letter modulo 11."""
    total = _sum(t[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(t[0], 0)
    table = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}[t[0]]
    return table[total % 11 if t[0] != "M" else 10 - total % 11] == t[8]


def th_id(d: str) -> bool:
    """Thailand: modulo 11."""
    return (11 - _sum(d, range(13, 1, -1)) % 11) % 10 == int(d[12])


def mx_curp(t: str) -> bool:
    """Mexico: a date and a check digit over 37 characters."""
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - n) for n, c in enumerate(t[:17]))
    return _date(t[6:8], t[8:10]) and str((10 - total % 10) % 10) == t[17]


def ar_cuil(d: str) -> bool:
    """Argentina: modulo 11."""
    return (11 - _sum(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11 == int(d[10])


def cl_rut(t: str) -> bool:
    """Chile: modulo 11 with K for ten."""
    check = 11 - sum(int(d) * (2 + n % 6) for n, d in enumerate(reversed(t[:-1]))) % 11
    return "0K"[check - 11] == t[-1] if check > 9 and check == 10 else str(check % 11) == t[-1]


def au_tfn(d: str) -> bool:
    """Australia's tax file number: modulo 11."""
    return _sum(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def nz_ird(d: str) -> bool:
    """New Zealand: modulo 11, with a second set of weights."""
    d = d.zfill(9)
    check = -_sum(d, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if check == 10:
        check = -_sum(d, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return check == int(d[8])


def ru_snils(d: str) -> bool:
    """Russia: modulo 101."""
    return _sum(d, range(9, 0, -1)) % 101 % 100 == int(d[9:])


def gr_amka(d: str) -> bool:
    """Greece: a date and Luhn."""
    return _date(d[2:4], d[:2]) and luhn(d)


def any_of_it(_text: str) -> bool:
    """No check digit: the form and the word say it."""
    return True


_S = r"[ -]?"
NATIONAL = (
    National("se_personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", se_personnummer),
    National("fi_hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", fi_hetu),
    National("no_fnr", r"\d{6} ?\d{5}", no_fnr, "fødselsnummer fodselsnummer fnr"),
    National("dk_cpr", r"\d{6}-?\d{4}", dk_cpr, "cpr"),
    National("be_rrn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", be_rrn),
    National("be_rrn", r"\d{11}", be_rrn, "rijksregisternummer rrn niss insz"),
    National("ch_ahv", r"756\.?\d{4}\.?\d{4}\.?\d{2}", ch_ahv),
    National("at_svnr", r"\d{4} ?\d{6}", at_svnr, "sozialversicherungsnummer svnr versicherungsnummer"),
    National("cz_rc", r"\d{6}/\d{4}", cz_rc),
    National("pt_nif", r"\d{3} ?\d{3} ?\d{3}", pt_nif, "nif contribuinte"),
    National("ie_pps", r"\d{7}[A-Wa-w][A-IWa-iw]?", ie_pps, "pps ppsn"),
    National("ro_cnp", r"[1-8]\d{12}", ro_cnp, "cnp"),
    National("bg_egn", r"\d{10}", bg_egn, "egn"),
    National("hr_oib", r"\d{11}", hr_oib, "oib"),
    National("ee_lt_code", r"[1-6]\d{10}", ee_lt_code, "isikukood asmens"),
    National("tr_tckn", r"[1-9]\d{10}", tr_tckn, "tckn kimlik"),
    National("il_id", r"\d{9}", luhn, "teudat zehut"),
    National("za_id", r"\d{13}", za_id, "rsa zaf"),
    National("kr_rrn", r"\d{6}-[1-8]\d{6}", kr_rrn),
    National("jp_my_number", rf"\d{{4}}{_S}\d{{4}}{_S}\d{{4}}", jp_my_number, "mynumber"),
    National("tw_id", r"[A-Z][1289]\d{8}", tw_id, "", (1,)),
    National("hk_id", r"[A-Z]\d{6}\([0-9A]\)", hk_id, "", (1,)),
    National("sg_nric", r"[STFGM]\d{7}[A-Z]", sg_nric, "", (1,)),
    National("th_id", r"[1-8]-\d{4}-\d{5}-\d{2}-\d", th_id),
    National("th_id", r"[1-8]\d{12}", th_id, "thai"),
    National("mx_curp", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", mx_curp, "", (4,)),
    National("ar_cuil", r"(?:20|23|24|27)-\d{8}-\d", ar_cuil),
    National("cl_rut", r"\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]", cl_rut),
    National("ca_sin", r"[1-79]\d{2}[ -]\d{3}[ -]\d{3}", luhn, "sin"),
    National("au_tfn", r"\d{3} ?\d{3} ?\d{3}", au_tfn, "tfn"),
    National("nz_ird", r"\d{2,3}-?\d{3}-?\d{3}", nz_ird, "ird"),
    National("ru_snils", r"\d{3}-\d{3}-\d{3}[ -]\d{2}", ru_snils),
    National("gr_amka", r"\d{11}", gr_amka, "amka"),
    National("in_pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", any_of_it, "pan", (5,)),
    National(
        "passport", r"[A-Z]{1,2}\d{6,8}|\d{9}", any_of_it,
        "passport passports passeport reisepass pasaporte passaporto", (0, 1, 2),
    ),
    National(
        "medical_record", r"[A-Z]{0,3}-?\d{5,10}", any_of_it,
        "mrn krankenversichertennummer patientennummer", (0, 1, 2, 3, 4),
    ),
)  # fmt: skip
FORMS = (
    r"\b(?:\d{2})?\d{6}[-+]\d{4}\b|\b\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]\b|\b\d{6}/\d{4}\b|\b\d{6}-\d{7}\b",
    r"\b756\.?\d{4}\.?\d{4}\.?\d{2}\b|\b\d{2}-\d{8}-\d\b|\b\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]\b",
    r"\b\d{3}-\d{3}-\d{3}[ -]\d{2}\b",
    r"\b[A-Z][1289]\d{8}\b|\b[A-Z]\d{6}\([0-9A]\)|\b[STFGM]\d{7}[A-Z]\b|\b[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d\b",
    r"\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}\b|\b\d{4} ?\d{6}\b|\b\d{9,13}\b|\b\d{6} \d{5}\b|\b\d{7}[A-Wa-w][A-IWa-iw]?\b",
    rf"\b\d{{2,3}}{_S}\d{{3}}{_S}\d{{3}}\b|\b\d-\d{{4}}-\d{{5}}-\d{{2}}-\d\b",
    r"(?i)(?:\A|[^a-z])(?:passports?|passeport|reisepass|pasaporte|passaporto|mrn|pan)(?:[^a-z]|\z)",
)
