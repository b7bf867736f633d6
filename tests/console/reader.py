"""Reads a page as a screen reader would, and holds it to what every page must be."""

from html.parser import HTMLParser

from interlock.console.sources import Sources
from tests.console.asgi import Browser

VOID = {"meta", "link", "br", "input", "path", "use"}


class Reader(HTMLParser):
    """Reads a page as a screen reader would: well-formed, its text, headings, links and ids.

    `landmarks` are the names of its regions, as text or as the id of a heading. `unnamed` are the tags of what it could
    not tell of: a link or button without words, a picture or box without a name, a field without a label.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.hrefs: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.landmarks: list[str] = []
        self.unnamed: list[str] = []
        self.labelled: set[str] = set()
        self._asking: list[tuple[str, int]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.tags.append(tag)
        assert not any(name.startswith("on") or name == "style" for name in held)
        self._name(tag, held)
        if held.get("id"):
            self.ids.append(held["id"] or "")
        if tag == "a":
            self.hrefs.append(held["href"] or "")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")
        if tag not in VOID:
            self.open.append(tag)

    def _name(self, tag: str, held: dict[str, str | None]) -> None:
        name = held.get("aria-label") or held.get("aria-labelledby") or ""
        role = held.get("role") or tag
        if name and role in ("nav", "section", "aside", "region"):
            self.landmarks.append(name)
        field = tag == "select" or (tag == "input" and held.get("type") != "hidden")
        if field and held.get("id") not in self.labelled:
            self.unnamed.append(tag)
        if tag == "label":
            self.labelled.add(held.get("for") or "")
        if not name and (role in ("img", "region", "nav") or (tag == "div" and held.get("tabindex") == "0")):
            self.unnamed.append(tag)
        if not name and tag in ("a", "button"):
            self._asking.append((tag, len(self.words)))

    def handle_endtag(self, tag: str) -> None:
        if self._asking and self._asking[-1][0] == tag and not "".join(self.words[self._asking.pop()[1] :]).strip():
            self.unnamed.append(tag)
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("title", "script"):
            self.words.append(data)
        if any(tag in ("h1", "h2", "h3") for tag in self.open):
            self.headings[-1] += data


def read(given: Sources, target: str, status: int = 200) -> Reader:
    answer = Browser(given).sign_in().get(target)
    assert answer.status == status
    page = Reader(answer.text)
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == 1
    assert len(page.ids) == len(set(page.ids))
    assert {href[1:] for href in page.hrefs if href.startswith("#")} <= set(page.ids)
    return page
