"""Addresses as they are kept and judged: without what may be a secret, and whose host they name."""

import re

URL = re.compile(r"(?i)^([a-z][a-z0-9+.-]*)://(?:[^@/?#]*@)?(\[[0-9a-f:.]+\]|[^:/?#]*)(:\d+)?([^?#]*)")


def bare_url(url: str) -> str:
    """`url` without user, password, query and fragment, which is where secrets stand.

    >>> bare_url("https://me:pw@host.example:8080/v1?key=abc#top")
    'https://host.example:8080/v1'
    """
    match = URL.match(url.strip())
    return f"{match[1]}://{match[2]}{match[3] or ''}{match[4]}" if match else re.split(r"[?#]", url.strip())[0]


def host_of(url: str) -> str:
    """The host that `url` names, in lower case and without brackets; `""` if it names none.

    >>> host_of("http://[::1]:11434/v1"), host_of("localhost:11434")
    ('::1', '')
    """
    match = URL.match(url.strip())
    return match[2].strip("[]").lower() if match else ""
