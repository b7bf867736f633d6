"""The web console: reads the store, never touches the wire."""
