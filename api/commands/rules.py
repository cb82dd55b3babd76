"""`gridbeat rules duplicates`: how near two reports must be to be asked about as duplicates, by category."""

from __future__ import annotations

from typing import Annotated

import typer

from gis.errors import ParameterInvalid

Category = Annotated[str, typer.Option(help="For this category alone; for all if left out.")]
Scheme = Annotated[str, typer.Option(help="... of this category scheme alone.")]
Radius = Annotated[float | None, typer.Option(help="Metres, at most 2000; 0 looks for none.", min=0.0, max=2_000.0)]
Minutes = Annotated[float | None, typer.Option(help="The window in minutes, at most a year.", min=0.0, max=525_600.0)]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="The rule goes; the wider one holds again.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the version.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `rules`."""
    group = typer.Typer(no_args_is_help=True, help="Rules that are stored, in versions.")

    @group.callback()
    def _() -> None:
        """Rules that are stored, in versions."""

    group.command()(duplicates)
    app.add_typer(group, name="rules")


def duplicates(
    *,
    category: Category = "",
    scheme: Scheme = "",
    radius_m: Radius = None,
    minutes: Minutes = None,
    withdraw: Withdraw = False,
    reason: Reason = "",
) -> None:
    """List the rules in force; with --radius-m and --minutes make one, with --withdraw end one. The old ones stay on record."""
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from gis.duplicates import DEFAULT_RULE
    from gis.store import audit
    from gis.store.duplicates import add_rule, read_rules

    making = radius_m is not None or minutes is not None
    if (radius_m is None) != (minutes is None) or (withdraw and making):
        raise ParameterInvalid("a rule has --radius-m and --minutes, or it is withdrawn", place="--radius-m")
    if scheme and not category:
        raise ParameterInvalid("--scheme goes with --category", place="--scheme")
    who = terminal_caller()
    with opened(Settings()) as engine, engine.begin() as connection:
        if making or withdraw:
            number = add_rule(connection, category, scheme, radius_m, minutes, actor=who.actor, reason=reason)
            made = {"category": category, "scheme": scheme, "radius_m": radius_m, "minutes": minutes, "reason": reason}
            audit.record(connection, who.actor, who.role, "rule duplicates", f"duplicate_rule/{number}", made)
        rules = read_rules(connection)
    if not any(rule["category"] == "" for rule in rules):
        typer.echo(f"every category: {DEFAULT_RULE.radius_m:g} m, {DEFAULT_RULE.minutes:g} minutes (default)")
    for rule in rules:
        of = " ".join(filter(None, (rule["category"], rule["scheme"] and f"({rule['scheme']})"))) or "every category"
        typer.echo(
            f"{of}: {rule['radius_m']:g} m, {rule['minutes']:g} minutes (version {rule['number']}, {rule['actor']})"
        )
