"""The web console: reads the store, never touches the wire.

`access.py` says who may look, `boundary.py` stands before every request, `overview.py`, `timeline.py` and `outside.py`
turn what the store knows into what a page shows, `pages.py` answers in the `frame.py` that every page has, `app.py`
puts them together, `serve.py` listens.
Whatever a page shows of a conversation is evidence written by somebody else: see `text.py`.
"""
