"""The Model Context Protocol as values, for both of its eras, without I/O.

`messages.py` reads and writes JSON-RPC strictly; `eras.py` says what the revisions ask of headers, `_meta` and
results, and translates; `framing.py` cuts messages out of bodies, event streams and lines; `pins.py` says whether
a tool is still the one that was approved.
"""
