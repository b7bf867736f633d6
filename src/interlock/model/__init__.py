"""The nouns that every room shares: frozen values and the tree of errors. Standard library only.

Nothing here reads a file, a clock or a random source; nothing here knows a room.
"""
