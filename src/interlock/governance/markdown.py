"""A scan as Markdown for a pull request: what is new first, then what was known, then what was not read."""

import re
from collections.abc import Iterable, Iterator

from interlock.governance.summary import counted, headline
from interlock.model.asset import Finding, Scan, Status

# As much as a reviewer reads, and well below what a comment may hold on any forge.
MOST_FINDINGS, MOST_MISSED = 50, 20
# What Markdown or HTML would act on; names and messages come from the files that were scanned.
_ACTIVE = re.compile(r"[\\`*_{}\[\]<>#|~&$]")
# A forge would tell the people of that name, or make a link: a comment in between keeps it from that.
_TELLING = re.compile(r"@|:(?=//)")


def encode(scan: Scan) -> str:
    """The scan as GitHub-flavoured Markdown."""
    return "\n".join(_lines(scan)) + "\n"


def _lines(scan: Scan) -> Iterator[str]:
    yield f"### interlock: {_text(headline(scan))}"
    failed = [finding for finding in scan.findings if finding.status is Status.FAIL]
    unjudged = len(scan.findings) - len(failed)
    known = [finding for finding in failed if finding.known]
    new = [finding for finding in failed if not finding.known]
    if new:
        yield f"\n**{counted(len(new), 'new finding' if known else 'finding')}**\n"
        yield from _table(new)
    elif failed:
        yield "\nNothing new."
    if known:
        yield f"\n<details><summary>{counted(len(known), 'finding')} of the baseline</summary>\n"
        yield from _table(known)
        yield "\n</details>"
    if unjudged:
        yield f"\n{counted(unjudged, 'asset')} could not be judged."
    if scan.not_scanned:
        yield f"\n<details><summary>{counted(len(scan.not_scanned), 'place')} not scanned</summary>\n"
        for missed in scan.not_scanned[:MOST_MISSED]:
            yield f"- {_text(missed.path)}: {_text(missed.reason)}"
        if (rest := len(scan.not_scanned) - MOST_MISSED) > 0:
            yield f"- and {rest:,} more"
        yield "\n</details>"


def _table(findings: Iterable[Finding]) -> Iterator[str]:
    listed = list(findings)
    yield "| Severity | Where | What | Fix |"
    yield "| --- | --- | --- | --- |"
    for one in listed[:MOST_FINDINGS]:
        place = f"{_text(one.site.path)}:{one.site.line}"
        yield f"| {one.severity.value} | {place} | **{_text(one.title)}** {_text(one.message)} | {_text(one.fix)} |"
    if (rest := len(listed) - MOST_FINDINGS) > 0:
        yield f"\nAnd {rest:,} more."


def _text(text: str) -> str:
    """A text that shows as it is, on one line, whatever it holds.

    >>> _text("a|b <img> @team")
    'a\\\\|b \\\\<img\\\\> @<!-- -->team'
    """
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return _TELLING.sub(r"\g<0><!-- -->", _ACTIVE.sub(r"\\\g<0>", plain))
