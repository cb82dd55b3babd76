"""Frozen history of the store: a revision never reads a living file."""
