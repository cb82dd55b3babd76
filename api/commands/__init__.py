"""One module per group of terminal commands; each registers itself on the Typer application it is given."""
