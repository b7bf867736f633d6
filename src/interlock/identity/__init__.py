"""A credential becomes a `Principal`: interlock keys, and the broker of upstream credentials."""
