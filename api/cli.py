"""`gridbeat`: the same calls as HTTP, from a terminal. Exit 0 ok or warnings only, 1 errors or rejected rows, 2 usage."""

from __future__ import annotations

import sys

import typer

from api.commands import (
    alarm,
    bench,
    blocks,
    check,
    coverage,
    db,
    demo,
    export,
    load,
    locate,
    map,  # noqa: A004 - the command is called so
    next,  # noqa: A004 - likewise
    plan,
    replay,
    revert,
    rules,
    serve,
    spotcheck,
    webhooks,
)
from api.mapsource import from_store
from gis.errors import GridError, ParameterInvalid

app = typer.Typer(
    name="gridbeat",
    help="The spatial service for grid-based governance: every report finds its grid.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (
    demo,
    serve,
    db,
    bench,
    check,
    load,
    export,
    blocks,
    plan,
    locate,
    replay,
    revert,
    rules,
    alarm,
    coverage,
    next,
    webhooks,
    spotcheck,
):
    module.register(app)
map.register(app, from_store, coverage=coverage.map_coverage)


def main() -> None:
    """Run the command line; a refusal is one plain sentence on stderr, never a traceback."""
    try:
        app()
    except GridError as error:
        where = f" ({error.place})" if error.place else ""
        sys.stderr.write(f"gridbeat: {error.message}{where} [{error.code}]\n")
        sys.exit(2 if isinstance(error, ParameterInvalid) else 1)
    except OSError as error:  # a folder that is not there, a file that may not be read or written
        if error.filename is None:
            raise
        sys.stderr.write(f"gridbeat: {error.filename}: {error.strerror}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
