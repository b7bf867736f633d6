"""What the data plane records beside texts and tool calls: a session with one of each, and what has no session."""

from interlock.model.record import Noted, Origin, Record, RecordKind, Step, Verdict
from tests.console.fakes import NOW, SECOND, exchange

OBSERVED = "A piece would have been replaced, and was let through: this workload's answers are only observed."
EXTRA = Step("extra", tool="logprobs", verdict=Verdict.BLOCKED, reason="No policy permits it.")


def image(kind: str = "image", tool: str = "") -> Step:
    return Step(kind, size=182_044, digest="m1", tool=tool, origin=Origin.UNTRUSTED)


def hidden(count: int = 3, kinds: str = "EMAIL, IBAN") -> Step:
    return Step("hidden", size=count, tool=kinds)


def observed() -> Step:
    found = (Noted("personal-data", "iban", 990), Noted("system-prompt-leak", "words", 900))
    return Step("output", size=812, digest="o1", reason=OBSERVED, signals=found)


def replaced() -> Step:
    found = (Noted("canary", "canary", 1000), Noted("invisible-text", "tags", 980))
    return Step("output", size=90, verdict=Verdict.BLOCKED, reason="A piece was replaced.", signals=found)


def told(session: str, asked: tuple[Step, ...], answered: tuple[Step, ...]) -> tuple[Record, ...]:
    """An exchange over another protocol than the usual one."""
    return tuple(
        record._replace(protocol="anthropic-messages", upstream="anthropic", route="/anthropic/v1/messages")
        for record in exchange(session, session, asked, answered, model="claude-sonnet-5", at_us=NOW - 60 * SECOND)
    )


def various(session: str = "va1105") -> tuple[Record, ...]:
    """A session with one of each kind of step."""
    link = Noted("data-exfiltration", "image-with-data", 960)
    late = Step("call", tool="send_mail", sink="unknown", verdict=Verdict.FAILED, reason="It was not released.")
    passed = Step("upstream", tool="anthropic-eu", verdict=Verdict.FAILED, reason="anthropic-eu: answered 529")
    web = Step("tool_result", tool="browse", size=2210, origin=Origin.UNTRUSTED, signals=(link,))
    user = Step("user", size=40, origin=Origin.USER)
    asked = (user, image(), image("file", "browse"), web, EXTRA, hidden())
    return told(session, asked, (passed, replaced(), observed(), late))


def connection(request: str, host: str, reason: str, at_us: int, verdict: Verdict = Verdict.ALLOWED) -> Record:
    return Record(
        RecordKind.CONNECT, at_us, request, "build-bot", "key-2", route="CONNECT", upstream=host, status=200,
        verdict=verdict, reason=reason,
    )  # fmt: skip


def outside() -> tuple[Record, ...]:
    """Refusals by limits, a door, a host; connections that were read, passed, failed."""
    limited = Record(
        RecordKind.REFUSAL, NOW - 50 * SECOND, "r1", "invoice-agent", "key-1", protocol="gemini", upstream="gemini",
        route="/gemini/v1beta/models/gemini-3-flash:generateContent", model="gemini-3-flash", status=429,
        verdict=Verdict.BLOCKED,
        reason="Limit 'team-day' is used up: 20.00 US dollars per day for each workload. "
        "There is room again in 5,120 s.",
    )  # fmt: skip
    large = "Limit 'context': a request has at most 100 messages, and this one has 413."
    asks = "Limit 'team-day' allows 1,000 tokens per day, and this request alone may use 4,096 tokens. Send less."
    host = "pastebin.example is no AI service"
    return (
        connection("c1", "api.openai.com:443", "read", NOW - 58 * SECOND),
        connection("c2", "pypi.org:443", "passes unread", NOW - 55 * SECOND),
        limited,
        limited._replace(at_us=NOW - 40 * SECOND, request="r2", status=413, reason=large, protocol="ollama"),
        limited._replace(at_us=NOW - 30 * SECOND, request="r3", status=403, reason=asks, protocol="bedrock-converse"),
        Record(
            RecordKind.REFUSAL, NOW - 20 * SECOND, "r4", "build-bot", "key-2", route="CONNECT pastebin.example:443",
            status=403, verdict=Verdict.BLOCKED, reason=host,
        ),
        connection("c2", "pypi.org:443", "ended", NOW - 9 * SECOND)._replace(
            bytes_in=2150, bytes_out=3_400_000, latency_us=46 * SECOND
        ),
        connection("c3", "api.mistral.ai:443", "no TLS handshake", NOW - 5 * SECOND, Verdict.FAILED),
        Record(RecordKind.REFUSAL, NOW, status=401, verdict=Verdict.BLOCKED, reason="the key is not known"),
    )  # fmt: skip
