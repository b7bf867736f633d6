"""What the protocols of OpenAI have in common: how an error is told."""

from interlock.protocols._json import encode

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as the API's own servers write it."""
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})
