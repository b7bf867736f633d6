"""Days and times as people write them, in several languages, and those that they name by today's: `tomorrow`."""

import re
from datetime import date, timedelta

_VALUE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(?:z|[+-]\d{2}:?\d{2})?)?")
_MONTHS = tuple(
    # The longest first: an expression takes the first that fits.
    "|".join(sorted(names.split(), key=len, reverse=True))
    for names in (
        "january jan januar janvier enero gennaio janeiro januari stycznia января jänner",
        "february feb februar février febrero febbraio fevereiro februari lutego февраля",
        "march mar märz mars marzo março maart marca марта",
        "april apr avril abril aprile kwietnia апреля",
        "may mai mayo maggio maio mei maja мая",
        "june jun juni juin junio giugno junho czerwca июня",
        "july jul juli juillet julio luglio julho lipca июля",
        "august aug août agosto augustus sierpnia августа",
        "september sept sep septembre septiembre settembre setembro września сентября",
        "october oct oktober okt octobre octubre ottobre outubro października октября",
        "november nov novembre noviembre listopada ноября",
        "december dec dezember dez décembre diciembre dicembre dezembro grudnia декабря",
    )
)
_TH = r"(?:st|nd|rd|th|er|º|\.)?"
_AND = " ?(?:-|\u2013|to|till|until|through|and|bis|und|au|et|al|y|e) ?"
_YEAR = re.compile(r",? (?:de |of )?(?:19|20)\d\d\b")
# By how many days from today.
_RELATIVE = {
    "today": 0, "tonight": 0, "heute": 0, "aujourd'hui": 0, "hoy": 0, "oggi": 0, "hoje": 0, "vandaag": 0, "dzisiaj": 0,
    "tomorrow": 1, "morgen": 1, "demain": 1, "mañana": 1, "domani": 1, "amanhã": 1, "jutro": 1,
    "yesterday": -1, "gestern": -1, "hier": -1, "ayer": -1, "ieri": -1, "ontem": -1, "gisteren": -1, "wczoraj": -1,
    "day after tomorrow": 2, "übermorgen": 2, "après-demain": 2, "pasado mañana": 2, "dopodomani": 2, "overmorgen": 2,
    "今天": 0, "明天": 1, "昨天": -1, "今日": 0, "明日": 1, "昨日": -1, "오늘": 0, "내일": 1, "어제": -1,
}  # fmt: skip
_WEEKDAYS = tuple(
    frozenset(names.split())
    for names in (
        "monday mon montag lundi lunes lunedì maandag", "tuesday tue tues dienstag mardi martes martedì dinsdag",
        "wednesday wed mittwoch mercredi miércoles mercoledì woensdag",
        "thursday thu thurs donnerstag jeudi jueves giovedì donderdag",
        "friday fri freitag vendredi viernes venerdì vrijdag",
        "saturday sat samstag sonnabend samedi sábado sabato zaterdag",
        "sunday sun sonntag dimanche domingo domenica zondag",
    )
)  # fmt: skip
_LATER = re.compile(r"\bin (\d{1,3}) (day|week)s?\b|\bin (\d{1,3}) (tag|woche)(?:en|n)?\b")
_WORDS = re.compile(r"[^\W\d_]+")
DAYS_OF_WEEK = 7


def day_of(value: str) -> date | None:
    """The day that a value says as programs write it, with or without a time; None if it says none.

    >>> day_of("2026-06-05t09:30:00z")
    datetime.date(2026, 6, 5)
    """
    match = _VALUE.fullmatch(value)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def date_forms(value: str, today: date | None) -> str:
    """The expression for a day in the ways of writing it, of a value in lower case; empty if it is no day.

    A time is not looked for: it says when, and the day which. Without a year it is meant about now.
    """
    day = day_of(value)
    if day is None:
        return ""
    d, m, y, short = day.day, day.month, day.year, day.year % 100
    near = today is None or abs((day - today).days) <= 366
    optional = "?" if near else ""
    months = f"(?:{_MONTHS[m - 1]})"
    year = f"(?:,? (?:de |of )?{y}){optional}"
    numbers = [
        f"{y}[-/.]0?{m}[-/.]0?{d}",
        rf"0?{d}\.0?{m}\.(?:{y}|{short:02d}){optional}",
        f"0?{d}[/-]0?{m}[/-](?:{y}|{short:02d})",
        f"0?{m}[/-]0?{d}[/-](?:{y}|{short:02d})",
    ]
    words = [
        rf"0?{d}{_TH}(?: of| de)? {months}\.?{year}",
        rf"0?{d}{_TH}{_AND}\d{{1,2}}{_TH}(?: of| de)? {months}\.?{year}",
        rf"{months}\.? (?:the )?0?{d}{_TH}{year}",
        f"{y}年0?{m}月0?{d}日",
        *([f"0?{m}月0?{d}日"] if near else []),
    ]
    return "|".join(f"(?:{one})" for one in (*numbers, *words))


def is_of_another_year(text: str, end: int) -> bool:
    """Whether a year stands behind a day that was found without one."""
    return _YEAR.match(text, end) is not None


def named_days(text: str, today: date) -> frozenset[date]:
    """The days that a text in lower case names by today's: `tomorrow`, `on Friday`, `in 3 days`.

    >>> sorted(named_days("the day after tomorrow, or next friday", date(2026, 5, 12)))
    [datetime.date(2026, 5, 13), datetime.date(2026, 5, 14), datetime.date(2026, 5, 15), datetime.date(2026, 5, 22)]
    """
    said = frozenset(_WORDS.findall(text))
    found = {
        today + timedelta(days)
        for word, days in _RELATIVE.items()
        if (word in said if word.isascii() and word.isalpha() else word in text)
    }
    for number, names in enumerate(_WEEKDAYS):
        if not names.isdisjoint(said):
            ahead = (number - today.weekday()) % DAYS_OF_WEEK
            # `on Friday` said on a Friday, and `next Friday`, which is this week's to some and next week's to others.
            found |= {today + timedelta(ahead), today + timedelta(ahead + DAYS_OF_WEEK)}
    for match in _LATER.finditer(text):
        count, unit = int(match[1] or match[3]), match[2] or match[4]
        found.add(today + timedelta(count * (DAYS_OF_WEEK if unit in ("week", "woche") else 1)))
    return frozenset(found)
