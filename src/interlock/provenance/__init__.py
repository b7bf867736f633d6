"""What a tool does to the world, and where an argument of a call came from."""
