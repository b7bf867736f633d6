"""What a scripted model answers, in the protocol of OpenAI embeddings: vectors made of the words it was told to say.

Each input's vector is its own: its length and place, then the length of what the script says.
"""

import base64
import json
import struct
from collections.abc import Iterator

from interlock.testing.model import Document, Say, Speech


def vectors(request: Document, say: Say) -> list[tuple[float, ...]]:
    """The vectors of a request's inputs, in their order."""
    given = request["input"] if isinstance(request["input"], list) else [request["input"]]
    return [(len(text) / 8, index / 8, len(say.text) / 8) for index, text in enumerate(given)]


def whole(request: Document, say: Say) -> bytes:
    """An answer's body, with line breaks, as the API sends it."""
    made: list[object] = list(vectors(request, say))
    if request.get("encoding_format") == "base64":
        made = [base64.b64encode(struct.pack("<3f", *vector)).decode() for vector in vectors(request, say)]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(made)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    document = {"object": "list", "data": data, "model": request.get("model", "m"), "usage": usage}
    return json.dumps(document, indent=2).encode()


def stream(request: Document, say: Say) -> Iterator[bytes]:
    """What a server says that does not stream: its one answer."""
    yield whole(request, say)


EMBEDDINGS = Speech(whole, stream)
