"""A whole answer: a message, or a count of tokens."""

from interlock.protocols import Answer, Usage, decode
from interlock.protocols._anthropic.answer import read_message
from interlock.protocols._anthropic.fields import figures
from interlock.protocols._reading import is_number


def read_answer(data: bytes) -> Answer:
    """A whole answer, understood."""
    document = decode(data)
    if "content" not in document and is_number(document.get("input_tokens")):
        return Answer(data, document, "", tuple(figures(document, ())), Usage())
    return read_message(data, document)
