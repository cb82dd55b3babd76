"""Intake: readers (bytes or paths to frames and row errors), loaders with a dry run, the seeded demo town."""
