"""`gridbeat demo`: the synthetic town in the store, and the service over it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data.demopatrols import PatrolsLoaded
    from data.demotown import DemoLoaded

Port = Annotated[int, typer.Option(help="Port to serve on.", min=1, max=65_535)]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `demo`."""
    app.command()(demo)


def demo(
    port: Port = 8000,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve after loading.")] = True,
    reset: Annotated[bool, typer.Option("--reset", help="Throw the demo's store away and load it anew.")] = False,
) -> None:
    """Load the synthetic demo town (once) and serve it on this machine alone."""
    from api.commands.serve import run
    from api.session import database_url, opened
    from api.settings import DEMO_KEY, Settings
    from data.demo import build_town
    from data.demopatrols import patrols_loaded
    from data.demotown import add_patrols, is_loaded, load_town
    from data.fixes import FixPolicy
    from gis.store.engine import forget

    settings = Settings()
    url = database_url(settings)
    with opened(settings.model_copy(update={"database_url": url})) as engine:
        with engine.connect() as connection:
            loaded = is_loaded(connection)
            complete = loaded and patrols_loaded(connection)
        if loaded and reset:
            forget(url)
            loaded = complete = False
        if not complete:
            from datetime import UTC, datetime

            _say("building the demo town ...")
            now, policy = datetime.now(UTC), FixPolicy(settings.fixes_off_duty, settings.fixes_kept_days)
            if loaded:
                _show_patrols(add_patrols(engine, build_town(now=now), now, policy=policy, tell=_say))
            else:
                _show(load_town(engine, now, policy=policy, tell=_say))
    if not serve:
        return
    os.environ |= {"GRIDBEAT_DATABASE_URL": url, "GRIDBEAT_DEMO": "true"}
    typer.echo(f"""Try it from another terminal:
  curl 'http://127.0.0.1:{port}/v1/locate?lon=121.2&lat=32.05'
  curl -H 'Authorization: Bearer {DEMO_KEY}' -H 'Content-Type: application/json' \\
       -d '{{"lon": 121.2, "lat": 32.05, "channel": "hotline", "text": "路灯不亮"}}' http://127.0.0.1:{port}/v1/events""")
    run("127.0.0.1", port, 1)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _show(loaded: DemoLoaded) -> None:
    town, events = loaded.town, loaded.events
    typer.echo(
        f"{town.note}: {len(town.communities)} villages, {len(town.grids)} general and {len(town.dedicated)} dedicated grids, "
        f"{sum(one.count for one in town.households):,} households, {events.stored:,} reports stored, "
        f"{events.rejected} refused as they should be"
    )
    _show_patrols(loaded.patrols)


def _show_patrols(loaded: PatrolsLoaded) -> None:
    patrols, counts = loaded.patrols, loaded.fixes.as_json()["counts"]
    others = ", ".join(f"{n:,} {word}" for word, n in counts.items() if n and word != "kept")
    typer.echo(
        f"{len(patrols.codes)} members, {len(patrols.shifts):,} shifts, {len(patrols.places)} must-visit places, "
        f"{loaded.fixes.stored:,} fixes stored ({others}), {loaded.told['stored']:,} check-ins and visits"
    )
