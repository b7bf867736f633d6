"""Chunks with texts replaced, and without what was refused."""

from dataclasses import replace as but

from interlock.protocols import Frame, FrameEdit, decode, encode
from interlock.protocols._anthropic.edit import edit_frame as edit_event
from interlock.protocols._bedrock import edit_fault
from interlock.protocols._json import replace, values
from interlock.protocols.bedrock_invoke.chunks import TRACE, packed


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The chunk's bytes with texts replaced, and without the refused calls; empty if nothing is left of it."""
    if frame.document is None or "type" not in frame.document:
        return edit_fault(frame, edit.texts) if frame.error else frame.raw
    texts = {stream: text for stream, text in edit.texts.items() if not stream[0].startswith("trace:")}
    if len(texts) == len(edit.texts):
        return edit_event(frame, edit, packed)
    document = decode(encode(frame.document))
    places = [path for path, _ in values(document[TRACE], (TRACE,))]
    for (name, _), text in edit.texts.items():
        if name.startswith("trace:"):
            replace(document, places[int(name.partition(":")[2])], text)
    return edit_event(frame._replace(document=document), but(edit, texts=texts), packed)
