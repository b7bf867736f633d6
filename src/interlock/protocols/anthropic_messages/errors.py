"""Errors, as the API's own servers tell them."""

from interlock.protocols._json import encode

_ERRORS = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as the API's own servers write it."""
    kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    told = {"type": kind, "message": message, "details": {"error_code": code}}
    return encode({"type": "error", "error": told})


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream, which the SDKs raise."""
    return b"event: error\ndata: " + error(500, code, message) + b"\n\n"
