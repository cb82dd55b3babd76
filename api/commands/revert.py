"""`gridbeat revert` and `gridbeat reassign`: take a generation back; give open events the grids that the boundaries now say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import Commit, Rule

if TYPE_CHECKING:
    from data.reassign import Reassigned

Number = Annotated[
    int, typer.Argument(metavar="GENERATION", help="The generation whose changes are taken back.", min=1)
]
Effective = Annotated[str | None, typer.Option(metavar="T", help="In force from; RFC 3339 with offset; default now.")]
Reason = Annotated[str, typer.Option(help="Why.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the commands `revert` and `reassign`."""
    app.command()(revert)
    app.command()(reassign)


def revert(
    generation: Number, reason: Reason, effective: Effective = None, rule: Rule = "move", commit: Commit = False
) -> None:
    """Put back what a generation changed, by a new generation; grids keep their identity, and what was known stays askable."""
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from data.decide import Policy
    from data.publishing import Order
    from data.report import parse_time
    from data.reverting import revert as put_back

    who, settings = terminal_caller(), Settings()
    instant = parse_time(effective, "--effective") if effective else None
    policy = Policy(settings.nearest_tolerance_m, settings.candidates_within_m)
    order = Order(who.actor, who.role, instant, rule, reason=reason)
    with opened(settings) as engine, engine.connect() as connection:
        done = put_back(connection, generation, order, policy)
        if commit:
            connection.commit()
    typer.echo("change: " + ", ".join(f"{kind} {n}" for kind, n in done.facts.summary().items()))
    _show(done.reassigned)
    if commit:
        number, begins = done.generation.number, done.generation.effective_at.isoformat()
        typer.echo(f"published generation {number}, in force from {begins}")
    else:
        typer.echo("a dry run: nothing is stored; add --commit to publish it")


def reassign() -> None:
    """Do now what published generations owe to open events; servers do it by themselves when a generation's second comes."""
    from api.session import opened
    from api.settings import Settings
    from data.decide import Policy
    from data.reassign import catch_up

    settings = Settings()
    policy = Policy(settings.nearest_tolerance_m, settings.candidates_within_m)
    with opened(settings) as engine:
        done = catch_up(engine, policy)
    _show(done)
    if not done:
        typer.echo("nothing was owed: open events have the grids that the boundaries in force say")


def _show(done: list[Reassigned] | tuple[Reassigned, ...]) -> None:
    for one in done:
        typer.echo(
            f"generation {one.generation}: {one.moved} open events have another grid, of {one.looked_at} looked at "
            f"(rule {one.rule})"
        )
