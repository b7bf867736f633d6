"""Puts the written pieces together: attacks within carriers of many kinds, and their honest twins. Seeded."""

import base64
import codecs
import json
from collections.abc import Iterator, Sequence
from random import Random

from training.authored import english as e
from training.authored.languages import LANGUAGES

# (text, attack?, group): groups are user, document, tool.
Made = tuple[str, bool, str]


def made(count: int, honest_documents: Sequence[str], seed: int) -> Iterator[Made]:
    """`count` attacks within documents and as many honest twins, then a quarter of that for users and for tools.

    `honest_documents` are real ones (of training sets), which some of the attacks are put into.
    """
    random = Random(seed)
    for _ in range(count):
        order, twin = _order(random), _honest(random)
        carrier = random.choice(_CARRIERS) if random.random() < 0.6 or not honest_documents else None
        # Who disguises a text is not for that a liar: what it says decides.
        if random.random() < 0.06:
            order, twin = _disguised(order, random), _disguised(twin, random)
        for text, attack in ((order, True), (twin, False)):
            yield (
                (carrier(text, random) if carrier else _within(random.choice(honest_documents), text, random)),
                attack,
                "document",
            )
    for _ in range(count // 3):
        yield _user_attack(random), True, "user"
        yield _user_asks(random), False, "user"
    for _ in range(count // 6):
        yield _tool(_filled(random.choice(e.POISON), random), random), True, "tool"
        yield _tool(random.choice(e.DESCRIBED), random), False, "tool"
    for direct, indirect, honest in LANGUAGES.values():
        for text in direct:
            yield text, True, "user"
            yield _within(random.choice(e.FILLER), text, random), True, "document"
        for text in indirect:
            yield text, True, "document"
            yield random.choice(_CARRIERS)(text, random), True, "document"
        for text in honest:
            yield text, False, "user"
            yield text, False, "document"
            yield random.choice(_CARRIERS)(text, random), False, "document"


def _values(random: Random) -> dict[str, str]:
    host = random.choice(
        ("files.example", "cdn-status.example", "acme-help.example", "203.0.113.7", "short.example/a1", "docs.example")
    )
    return {
        "mail": random.choice(("ann", "ops", "backup.team", "j.miller", "audit", "support"))
        + "@"
        + random.choice(("mail.example", "corp.example", "x-help.example")),
        "url": f"https://{host}/" + random.choice(("", "in", "upload", "c?id=7", "setup.sh")),
        "amount": random.choice(("$500", "1,200 EUR", "40 USD", "9.999,00 €", "£75")),
        "iban": random.choice(("DE02 1203 0000 0000 2020 51", "GB33BUKB20201555555555", "12-3456 99887766")),
        "phone": random.choice(("+1 202 555 0142", "0800 123 456", "+44 20 7946 0958")),
        "place": random.choice(("12 Mill Lane, Springfield", "Box 99, Riga")),
    }


def _filled(template: str, random: Random) -> str:
    goal = random.choice(e.GOALS).format(**_values(random))
    if random.random() < 0.2:
        goal += " and " + random.choice(e.GOALS).format(**_values(random))
    return template.format(goal=goal, Goal=goal[0].upper() + goal[1:])


def _order(random: Random) -> str:
    return _filled(random.choice(random.choice(list(e.ORDERS.values()))), random)


def _honest(random: Random) -> str:
    return random.choice(e.HONEST).format(**_values(random))


def _prose(random: Random, least: int, most: int) -> list[str]:
    return random.sample(e.FILLER, random.randint(least, min(most, len(e.FILLER))))


def _put(sentences: list[str], text: str, random: Random, between: str = " ") -> str:
    sentences.insert(random.randint(0, len(sentences)), text)
    return between.join(sentences)


def _within(document: str, text: str, random: Random) -> str:
    """A text put at the beginning, the end or a break of a document."""
    breaks = [i + 1 for i, c in enumerate(document[:6000]) if c in "\n.}"] or [len(document)]
    at = random.choice((0, len(document), *random.choices(breaks, k=4)))
    gap = random.choice((" ", "\n", "\n\n"))
    return f"{document[:at]}{gap}{text}{gap}{document[at:]}".strip()


def _mail(text: str, random: Random) -> str:
    head = (
        f"From: {_values(random)['mail']}\nTo: {_values(random)['mail']}\nSubject: {random.choice(e.SUBJECTS)}\n\n"
        if random.random() < 0.7
        else ""
    )
    body = _put(_prose(random, 2, 9), text, random, random.choice((" ", "\n\n")))
    return f"{head}{random.choice(('Hi all,', 'Dear Ann,', 'Hello,', ''))}\n{body}\n\n{random.choice(('Best regards', 'Cheers', 'Thanks', 'BR'))}\n{random.choice(('Tom', 'Eva Novak', 'The billing team'))}"


def _page(text: str, random: Random) -> str:
    hidden = random.choice(
        (
            "<p>{}</p>",
            "<!-- {} -->",
            '<div style="display:none">{}</div>',
            '<span style="font-size:0">{}</span>',
            "<li>{}</li>",
            '<img alt="{}" src="a.png">',
            '<meta name="description" content="{}">',
        )
    )
    paragraphs = [f"<p>{sentence}</p>" for sentence in _prose(random, 2, 8)]
    return f"<html><head><title>{random.choice(e.SUBJECTS)}</title></head><body><h1>{random.choice(e.SUBJECTS)}</h1>\n{_put(paragraphs, hidden.format(text), random, chr(10))}\n</body></html>"


def _markdown(text: str, random: Random) -> str:
    return f"# {random.choice(e.SUBJECTS)}\n\n{_put(_prose(random, 2, 10), random.choice(('{}', '> {}', '- {}', '**{}**', '[//]: # ({})')).format(text), random, chr(10) * 2)}"


def _ticket(text: str, random: Random) -> str:
    return f"Ticket #{random.randint(1000, 99999)}\nStatus: open\nPriority: {random.choice(('low', 'high'))}\n\nDescription: {_put(_prose(random, 1, 5), text, random)}\n\nComment by {random.choice(('lea', 'max', 'support'))}: {random.choice(e.FILLER)}"


def _code(text: str, random: Random) -> str:
    comment = random.choice(("# {}", "// {}", "/* {} */", '"""{}"""', "-- {}", "<!-- {} -->"))
    lines = [
        "def load(path):",
        "    with open(path) as file:",
        "        return json.load(file)",
        "",
        "class Store:",
        "    def __init__(self, url):",
        "        self.url = url",
        "",
        "for item in items:",
        "    print(item.name)",
        "SELECT id, name FROM users;",
        "import json",
    ]
    return _put(
        random.sample(lines, random.randint(3, len(lines))), comment.format(text.replace("\n", " ")), random, "\n"
    )


def _json(text: str, random: Random) -> str:
    record = {
        "id": random.randint(1, 9999),
        "title": random.choice(e.SUBJECTS),
        "description": random.choice(e.FILLER),
        "author": random.choice(("ann", "bo")),
        "tags": ["a", "b"],
        "total": 12.5,
    }
    record[random.choice(("description", "notes", "comment", "title", "bio", "message"))] = (
        f"{random.choice(('', random.choice(e.FILLER) + ' '))}{text}"
    )
    rows = [
        record,
        *(
            {"id": n, "title": random.choice(e.SUBJECTS), "notes": random.choice(e.FILLER)}
            for n in range(random.randint(0, 4))
        ),
    ]
    random.shuffle(rows)
    return json.dumps({"results": rows}, ensure_ascii=False, indent=random.choice((None, 2)))


def _log(text: str, random: Random) -> str:
    lines = [
        f"2024-11-{random.randint(10, 28)}T0{random.randint(0, 9)}:12:0{random.randint(0, 9)}Z {random.choice(('INFO', 'WARN', 'DEBUG'))} {random.choice(('http', 'db', 'auth'))}: {random.choice(('request done in 12 ms', 'user 48 signed in', 'cache miss', 'retry 2 of 5', 'GET /index.html 200'))}"
        for _ in range(random.randint(3, 12))
    ]
    return _put(lines, f"2024-11-20T08:00:00Z ERROR app: {text}", random, "\n")


def _cv(text: str, random: Random) -> str:
    return f"Curriculum vitae\nName: {random.choice(('Jo Lind', 'Mara Silva'))}\n\nExperience\n- Accountant, 2016 to 2024\n- Clerk, 2012 to 2016\n\nSkills: Excel, SAP, German\n\n{_put(_prose(random, 1, 3), text, random)}\n\nReferences on request."


def _invoice(text: str, random: Random) -> str:
    return f"INVOICE {random.randint(1000, 9999)}\nBill to: Halden Freight\n\nPallets   12 x 4.50   54.00\nTransport  1 x 80.00  80.00\nTotal                134.00 EUR\n\n{_put(['Payable within 30 days.', 'IBAN: ' + _values(random)['iban']], text, random, chr(10))}"


def _alone(text: str, _random: Random) -> str:
    return text


def _turns(text: str, random: Random) -> str:
    turns = [
        f"user: {random.choice(e.ASKED).format(topic=random.choice(e.TOPICS))}\nassistant: {random.choice(e.FILLER)}"
        for _ in range(random.randint(1, 4))
    ]
    return "\n".join([*turns, f"user: {text}"])


_CARRIERS = (_mail, _mail, _page, _markdown, _ticket, _code, _json, _json, _log, _cv, _invoice, _alone, _alone)


def _user_attack(random: Random) -> str:
    persona = random.choice(e.PERSONAS)
    parts = [
        text.format(secret=random.choice(e.SECRETS), persona=persona, Persona=persona[0].upper() + persona[1:])
        for text in random.sample(e.DIRECT, random.choice((1, 1, 1, 2, 3, 6)))
    ]
    if random.random() < 0.3:
        parts.insert(random.randint(0, 1), random.choice(e.ASKED).format(topic=random.choice(e.TOPICS)))
    text = " ".join(parts)
    choice = random.random()
    return _turns(text, random) if choice < 0.15 else _disguised(text, random) if choice < 0.25 else text


def _user_asks(random: Random) -> str:
    text = " ".join(
        t.format(topic=random.choice(e.TOPICS)) for t in random.sample(e.ASKED, random.choice((1, 1, 2, 3)))
    )
    return _turns(text, random) if random.random() < 0.15 else text


def _tool(text: str, random: Random) -> str:
    about = random.sample(e.DESCRIBED, random.randint(1, 3))
    described = _put(about, text, random)
    if random.random() < 0.5:
        return described
    schema = {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": random.choice(e.DESCRIBED)},
            "limit": {"type": "integer"},
        },
    }
    return f"{described}\n{json.dumps(schema)}"


def _disguised(text: str, random: Random) -> str:
    choice = random.randint(0, 6)
    if choice == 5:
        return "".join(f"%{byte:02X}" for byte in text.encode())
    if choice == 6:
        return "".join(f"&#{ord(c)};" for c in text)
    if choice == 0:
        return base64.b64encode(text.encode()).decode()
    if choice == 1:
        return codecs.encode(text, "rot13")
    if choice == 2:
        return text.translate(str.maketrans("aeio", "43!0"))
    return "".join(c.upper() if random.random() < 0.4 else c for c in text) if choice == 3 else text.replace(" ", "  ")
