"""The model of tools' labels."""
