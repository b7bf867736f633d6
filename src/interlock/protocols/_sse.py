"""Server-sent events, cut out of a byte stream (WHATWG HTML, section 9.2). Sans-IO, bounded."""

import re

from interlock.model.errors import ProtocolError

# An event of a model's stream is a few hundred bytes; one tool call at once may be long.
MAX_EVENT_BYTES = 4_194_304
_ENDING = re.compile(rb"\n\r?\n")
# The usual event of a protocol that names its events.
_NAMED = re.compile(rb"event: ([a-z_.]{1,64})\ndata: ([^\r\n]*)\n\n")
# A line of any other name would be read by some clients and not by others; the empty name is a comment.
_FIELDS = frozenset({b"", b"event", b"id", b"retry"})
# What str.splitlines takes for the end of a line, beside CR and LF: a reader that cuts text so sees other lines.
_OTHER_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Events:
    """Cuts bytes into whole events.

    Rules: an event ends with an empty line; lines end with LF or CRLF (a lone CR is refused, since two readers could
    see different lines; so is a byte order mark, which some readers strip); `data` lines are joined with LF; the raw
    bytes of an event include its ending. It does NOT interpret `event`, `id` or `retry`, but says that they are there
    through `fields`.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0

    @property
    def held(self) -> bool:
        """Whether the beginning of an event waits for its end."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[tuple[bytes, bytes | None, dict[str, str]]]:
        """(raw bytes, joined data or None, other fields) of each event that `data` completes."""
        self._held += data
        out = []
        start = 0
        while (end := self._end(start)) >= 0:
            out.append(self._parse(bytes(self._held[start:end])))
            start = end
            self._searched = end
        del self._held[:start]
        # An ending of at most four bytes may be cut: look at the last three again.
        self._searched = max(0, len(self._held) - 3)
        if len(self._held) > MAX_EVENT_BYTES:
            raise ProtocolError(f"an event of the stream has over {MAX_EVENT_BYTES} bytes")
        return out

    def end(self) -> None:
        """Raises: ProtocolError if the stream ended inside an event."""
        if self._held.strip():
            raise ProtocolError("the stream ended inside an event")

    def _end(self, start: int) -> int:
        """Where the event that begins at `start` ends, or -1."""
        found = _ENDING.search(self._held, max(start, self._searched))
        return found.end() if found else -1

    @staticmethod
    def _parse(raw: bytes) -> tuple[bytes, bytes | None, dict[str, str]]:
        if raw.startswith(b"data: ") and raw.count(b"\n") == len(b"\n\n") and b"\r" not in raw:
            return raw, raw[len(b"data: ") : -len(b"\n\n")], {}
        if named := _NAMED.fullmatch(raw):
            return raw, named[2], {"event": named[1].decode()}
        data: list[bytes] = []
        fields: dict[str, str] = {}
        if raw.startswith(BYTE_ORDER_MARK):
            raise ProtocolError("the stream begins with a byte order mark")
        for ended in raw.split(b"\n"):
            line = ended.removesuffix(b"\r")
            if b"\r" in line:
                raise ProtocolError("a line of the stream holds a lone carriage return")
            if not line:
                continue
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data.append(value)
            else:
                if name not in _FIELDS:
                    raise ProtocolError("a line of the stream has a name that the format does not know")
                try:
                    text = value.decode()
                except UnicodeDecodeError as error:
                    raise ProtocolError(f"a line of the stream is not UTF-8: {error}") from error
                if _OTHER_ENDS.search(text):
                    raise ProtocolError("a line of the stream can be read as two")
                fields[name.decode()] = fields.get(name.decode(), "") + text
        return raw, b"\n".join(data) if data else None, fields
