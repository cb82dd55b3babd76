"""The outside face: HTTP and the command line."""
