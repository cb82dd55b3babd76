"""`gridbeat replay`: decide the receipts of a past window again and report every difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gis.errors import ParameterInvalid

if TYPE_CHECKING:
    from data.replay import Difference

SHOWN = 20

Begin = Annotated[str, typer.Option("--from", metavar="T", help="Receipts made from then on; RFC 3339 with offset.")]
End = Annotated[str, typer.Option("--to", metavar="T", help="Receipts made before then.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `replay`."""
    app.command(epilog="Exit 0: all agree. 1: a receipt differs. 2: usage.")(replay)


def replay(begin: Begin, end: End) -> None:
    """Decide every receipt made in a window again, under the boundaries and the policy of then; they must agree exactly."""
    from api.session import opened
    from api.settings import Settings
    from data.replay import replay as decide_again
    from data.report import parse_time
    from gis.store.live import Live

    since, until = parse_time(begin, "--from"), parse_time(end, "--to")
    if since >= until:
        raise ParameterInvalid("--from lies before --to", place="--from")
    shown: list[Difference] = []

    def note(difference: Difference) -> None:
        if len(shown) < SHOWN:
            shown.append(difference)

    settings = Settings()
    with opened(settings) as engine, engine.connect() as connection:
        found = decide_again(connection, Live(settings.states_kept), since, until, note)
    for difference in shown:
        changes = "; ".join(f"{name}: {then} then, {now} now" for name, (then, now) in difference.members.items())
        typer.echo(f"event {difference.receipt.event}, receipt of {difference.receipt.made_at.isoformat()}: {changes}")
    typer.echo(
        f"{found.equal} receipts agree, {found.different} differ, {found.by_word} were an officer's word, "
        f"{found.other_kernel} were made by another version"
    )
    raise typer.Exit(int(found.different > 0))
