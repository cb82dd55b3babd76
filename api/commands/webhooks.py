"""`gridbeat webhooks`: send what the outbox holds, where no server does."""

from __future__ import annotations

import threading
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `webhooks`."""
    group = typer.Typer(no_args_is_help=True, help="Tell the neighbours: signed notices of events and assignments.")
    group.callback()(lambda: None)  # a group of one command stays a group
    group.command(epilog="Exit 0: nothing failed. 1: a target did not accept, or notices are dead.")(send)
    app.add_typer(group, name="webhooks")


def send(
    once: Annotated[bool, typer.Option("--once", help="Try everything that is due, then end; for cron.")] = False,
) -> None:
    """Send notices that are due until stopped, or --once. Safe beside servers and other senders: each notice is taken by one."""
    from api.session import opened
    from api.settings import Settings
    from data.webhooks import Sender
    from gis.store.outbox import backlog

    settings = Settings()
    allowed = settings.webhook_targets
    with opened(settings) as engine:
        sender = Sender(engine, allowed)
        try:
            if once:
                sender.drain()
            else:
                sender.run(threading.Event())
        except KeyboardInterrupt:
            typer.echo("stopped", err=True)
        finally:
            sender.close()
        with engine.connect() as connection:
            left = backlog(connection)
    counts = sender.counts
    typer.echo(
        f"{counts['delivered']} delivered, {counts['failed']} failed; {left['waiting']} wait, {left['dead']} are dead"
    )
    raise typer.Exit(int(counts["failed"] > 0 or left["dead"] > 0))
