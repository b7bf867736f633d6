"""How much of a hijacked agent's harm interlock prevents, and what that costs its honest work."""
