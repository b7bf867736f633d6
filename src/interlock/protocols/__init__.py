"""CATALOGUE of wire protocols: bytes <-> events, without I/O."""
