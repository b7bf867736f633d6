"""A scan as one HTML page for people: no script, no request to anybody, light and dark."""

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

from interlock.governance.summary import counted, headline
from interlock.model.asset import Asset, Finding, Scan, Site, Status

# The tokens and shapes of the console's stylesheet, as far as this page needs them.
STYLE = """
:root{color-scheme:light dark;--bg:light-dark(#f4f5f3,#0f1213);--surface:light-dark(#fff,#171b1d);
--sunk:light-dark(#f8f9f7,#131718);--line:light-dark(#e0e3de,#2a3134);--ink:light-dark(#14191a,#e9edec);
--ink-2:light-dark(#465053,#b3bdbc);--ink-3:light-dark(#5d686a,#95a1a1);--accent:light-dark(#0a5b87,#7cc0ea);
--good:light-dark(#17693b,#6fce95);--warn:light-dark(#7d5200,#e9b95a);--warn-soft:light-dark(#fdf1d3,#372a0e);
--bad:light-dark(#a8231b,#ff9287);--bad-soft:light-dark(#fce8e5,#42191a);--crit:light-dark(#8d0f2d,#ff7d95);
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
*{box-sizing:border-box}body{margin:0;font:400 13.5px/1.5 var(--sans);color:var(--ink);background:var(--bg)}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}h1{font-size:21px;line-height:1.25;margin:0 0 4px}
h2{font-size:15px;margin:0}p{margin:0}.lead{color:var(--ink-2);margin-bottom:20px;overflow-wrap:anywhere}
section{background:var(--surface);border:1px solid var(--line);border-radius:10px;margin:0 0 20px;overflow:hidden}
section>header{padding:12px 16px;border-bottom:1px solid var(--line)}.aside{color:var(--ink-3);font-size:12.5px}
table{border-collapse:collapse;width:100%;table-layout:fixed}th,td{text-align:left;vertical-align:top;padding:8px 16px;
border-top:1px solid var(--line);overflow-wrap:anywhere}th{font-weight:560;color:var(--ink-3);font-size:12.5px;
background:var(--sunk);border-top:0}code{font:400 12.5px/1.5 var(--mono)}
.finding{padding:12px 16px;border-top:1px solid var(--line)}.finding:first-of-type{border-top:0}
.sev{display:inline-block;min-width:64px;font-weight:620;font-size:12.5px}.critical{color:var(--crit)}.high{color:var(--bad)}
.medium{color:var(--warn)}.low,.unknown{color:var(--ink-3)}.fix{color:var(--ink-2);margin-top:4px}
summary{padding:10px 16px;cursor:pointer;border-top:1px solid var(--line);font-weight:560}
details:first-of-type summary{border-top:0}.none{padding:12px 16px;color:var(--ink-3)}
footer{color:var(--ink-3);font-size:12.5px}
"""


def page(scan: Scan) -> str:
    """The whole page. Every text of the scan is escaped, and what a browser would act on is replaced."""
    sections = (*_findings(scan), *_workloads(scan), *_assets(scan), *_not_scanned(scan))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>interlock: {_text(_root_name(scan))}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{_text(headline(scan))}</h1><p class="lead"><code>{_text(scan.root)}</code>, scanned at '
        f"{_text(scan.at)}: {counted(scan.files, 'file')} read</p>\n"
        + "\n".join(sections)
        + "<footer>Made by interlock. Found by reading files; nothing was run.</footer></main></body></html>\n"
    )


def _text(text: str) -> str:
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))


def _root_name(scan: Scan) -> str:
    return scan.root.rstrip("/").rpartition("/")[2] or "scan"


def _section(title: str, aside: str, body: Iterable[str]) -> str:
    inner = "\n".join(body)
    return f'<section><header><h2>{title}</h2><span class="aside">{_text(aside)}</span></header>\n{inner}</section>'


def _site(site: Site) -> str:
    return f"<code>{_text(site.path)}:{site.line}</code>"


def _findings(scan: Scan) -> Iterator[str]:
    failed = [finding for finding in scan.findings if finding.status is Status.FAIL]
    unknown = [finding for finding in scan.findings if finding.status is Status.UNKNOWN]
    body = [_finding(finding) for finding in failed] or ['<p class="none">No check failed.</p>']
    if unknown:
        body.append(f"<details><summary>{len(unknown)} could not be judged</summary>")
        body += [*map(_finding, unknown), "</details>"]
    yield _section("Findings", f"{counted(len(failed), 'finding')}, gravest first", body)


def _finding(finding: Finding) -> str:
    grade = finding.severity.value if finding.status is Status.FAIL else "unknown"
    where = f" in {_text(finding.workload)}" if finding.workload else ""
    return (
        f'<div class="finding"><p><span class="sev {grade}">{grade}</span> <b>{_text(finding.title)}</b>{where} '
        f'<span class="aside">{_text(finding.check)}</span></p><p>{_site(finding.site)}</p>'
        f'<p>{_text(finding.message)}</p><p class="fix">{_text(finding.fix)}</p></div>'
    )


def _workloads(scan: Scan) -> Iterator[str]:
    rows = [
        f"<tr><td><b>{_text(w.id)}</b></td><td><code>{_text(w.root)}</code></td><td>{_text(w.owner or 'nobody')}</td>"
        f"<td>{len(w.assets)}</td></tr>"
        for w in scan.workloads
    ]
    head = "<table><tr><th>Workload</th><th>Folder</th><th>Owner</th><th>Assets</th></tr>"
    body = [head, *rows, "</table>"] if rows else ['<p class="none">No program that uses AI was found.</p>']
    yield _section("Workloads", "applications that use AI", body)


def _assets(scan: Scan) -> Iterator[str]:
    body = []
    for kind, group in groupby(sorted(scan.assets, key=lambda a: (a.kind.value, a.name)), key=lambda a: a.kind.value):
        assets = list(group)
        rows = "".join(map(_asset, assets))
        title = f"{kind.replace('_', ' ')} ({len(assets)})"
        body.append(f"<details open><summary>{title}</summary><table>{rows}</table></details>")
    yield _section("Assets", "each thing once, with all its places", body or ['<p class="none">None.</p>'])


def _asset(asset: Asset) -> str:
    places = "<br>".join(map(_site, asset.sites))
    return f"<tr><td>{_text(asset.name)}</td><td>{places}</td><td>{_text(asset.owner or '')}</td></tr>"


def _not_scanned(scan: Scan) -> Iterator[str]:
    if scan.not_scanned:
        rows = (f"<tr><td><code>{_text(n.path)}</code></td><td>{_text(n.reason)}</td></tr>" for n in scan.not_scanned)
        yield _section("Not scanned", "what these hold is not known", ["<table>", *rows, "</table>"])
