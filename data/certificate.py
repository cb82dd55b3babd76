"""The certificate of a cycle, as it is printed."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from data.coverage import TownCoverage
from data.overdue import certificate_json
from gis.partition import LEVELS
from gis.shares import Share
from maps.certificate import CertificateView, GridRow, OldestPlace
from maps.words import Lang


def certificate_view(found: TownCoverage, made_at: datetime, zone: tzinfo, lang: Lang) -> CertificateView:
    """What `certificate_json` says, ready to be printed."""
    told = certificate_json(found, made_at)
    parameters = {key: value for key, value in found.parameters.items() if key not in {"from", "to"}}
    return CertificateView(
        begin=found.wish.begin.astimezone(zone),
        end=found.wish.end.astimezone(zone),
        layer=found.wish.layer,
        generation=told["generation"],
        on_time=_share("places_on_time", told["on_time"]),
        unknown=_share("places_unknown", told["unknown"]),
        oldest=_oldest(told["oldest"], zone),
        counts=told["counts_of_places"],
        rows=[_row(row) for row in told["grids"]],
        parameters={k: v.astimezone(zone) if isinstance(v, datetime) else v for k, v in parameters.items()},
        town=_town(found),
        made=made_at.astimezone(zone),
        lang=lang,
    )


def _share(name: str, told: dict[str, Any]) -> Share:
    return Share(name, "places", told["numerator"], told["denominator"])


def _oldest(told: dict[str, Any] | None, zone: tzinfo) -> OldestPlace | None:
    if told is None:
        return None
    last = None if told["last"] is None else told["last"].astimezone(zone)
    return OldestPlace(told["place"], told["name"], told["grid"], last, told["age_days"])


def _row(row: dict[str, Any]) -> GridRow:
    oldest = row["oldest"]
    return GridRow(
        row["grid"], row["name"], row["places"], row["on_time"], row["late"], row["unknown"],
        None if oldest is None else oldest["age_days"], never=oldest is not None and oldest["last"] is None,
    )  # fmt: skip


def _town(found: TownCoverage) -> str:
    """The narrowest area that is alone on its level; empty without one."""
    boundaries = found.last.state.boundaries
    narrow = {(p.layer, p.level) for p in boundaries.assignable()}
    alone = [p for p in boundaries.partitions if (p.layer, p.level) not in narrow and len(p) == 1]
    town = max(alone, key=lambda p: LEVELS.index(p.level), default=None)
    return "" if town is None else town.names[0]
