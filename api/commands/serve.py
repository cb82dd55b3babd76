"""`gridbeat serve`: the HTTP service over the store, which is started and migrated first."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gis.errors import ParameterInvalid

LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65_535)]
Workers = Annotated[int, typer.Option(help="Server processes.", min=1, max=64)]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `serve`."""
    app.command()(serve)


def serve(host: Host = "127.0.0.1", port: Port = 8000, workers: Workers = 1) -> None:
    """Start the database if it is ours, migrate it, and serve HTTP until stopped."""
    from api.session import database_url
    from api.settings import Settings
    from gis.store.engine import migrate

    settings = Settings()
    settings.callers  # noqa: B018 - a public secret is refused before anything starts
    if host not in LOOPBACK and "GRIDBEAT_ANONYMOUS_ROLE" not in os.environ:
        raise ParameterInvalid(
            f"{host} is reachable from other machines: say with GRIDBEAT_ANONYMOUS_ROLE whether callers without a key "
            "may read (viewer) or not (none)",
            place="--host",
        )
    url = database_url(settings)
    typer.echo(f"store at revision {migrate(url)}", err=True)
    os.environ["GRIDBEAT_DATABASE_URL"] = url
    run(host, port, workers)


def run(host: str, port: int, workers: int) -> None:
    """Serve until stopped; the workers read their settings from the environment. Exit 1 when the port is taken."""
    import socket

    import uvicorn

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            typer.echo(
                f"gridbeat: cannot listen on {host}:{port}: {error.strerror}; choose another with --port", err=True
            )
            raise typer.Exit(1) from None
    shown = f"[{host}]" if ":" in host else host
    typer.echo(
        f"Gridbeat answers at http://{shown}:{port}/maps/grids  (API: http://{shown}:{port}/docs; stop with Ctrl-C)"
    )
    uvicorn.run(
        "api.app:create_app", factory=True, host=host, port=port, workers=workers, log_level="warning", access_log=False
    )
