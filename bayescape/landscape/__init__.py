"""The map of a target: its record, and what can be read from it."""
