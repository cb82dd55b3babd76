"""The tables of spot checks and campaigns, as SQLAlchemy Core sees them."""

from __future__ import annotations

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, JSON, TSTZRANGE, UUID

Instant = sa.DateTime(timezone=True)
Code = sa.Text(collation="C")


def _text(name: str, *, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def add_to(metadata: sa.MetaData) -> None:
    """`metadata` knows the tables of migration 0006 afterwards."""
    _add_spotchecks(metadata)
    _add_campaigns(metadata)


def _add_spotchecks(metadata: sa.MetaData) -> None:
    sa.Table(
        "spotcheck",
        metadata,
        sa.Column("id", UUID, primary_key=True),
        sa.Column("made_at", Instant, nullable=False),
        _text("actor"),
        sa.Column("at", Instant, nullable=False),
        sa.Column("generation", sa.Integer, sa.ForeignKey("generation.number"), nullable=False),
        sa.Column("layer", sa.Text, sa.ForeignKey("layer.name"), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("drawn", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("strata", JSON, nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("frame", JSON, nullable=False),
        _text("reason", default=""),
    )
    sa.Table(
        "spotcheck_grid",
        metadata,
        sa.Column("spotcheck", UUID, sa.ForeignKey("spotcheck.id"), primary_key=True),
        sa.Column("grid", UUID, sa.ForeignKey("grid.uid"), primary_key=True),
        sa.Column("code", Code, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        _text("stratum"),
        sa.Column("probability", sa.Double, nullable=False),
        _text("reason_zh"),
        _text("reason_en"),
        sa.Column("outcome", sa.Text),
        _text("note", default=""),
        sa.Column("checked_at", Instant),
        sa.Column("checked_by", sa.Text),
        sa.UniqueConstraint("spotcheck", "code", name="spotcheck_grid_code"),
        sa.UniqueConstraint("spotcheck", "rank", name="spotcheck_grid_rank"),
        sa.Index("spotcheck_grid_checked", "grid", "checked_at", postgresql_where=sa.text("checked_at IS NOT NULL")),
    )


def _add_campaigns(metadata: sa.MetaData) -> None:
    sa.Table(
        "campaign",
        metadata,
        sa.Column("id", UUID, primary_key=True),
        sa.Column("code", Code, nullable=False),
        _text("title"),
        _text("kind"),
        sa.Column("during", TSTZRANGE, nullable=False),
        _text("about"),
        sa.Column("area", Geometry("MULTIPOLYGON", srid=4326, spatial_index=False)),
        sa.Column("place_kinds", ARRAY(sa.Text)),
        sa.Column("made_at", Instant, nullable=False),
        _text("actor"),
        sa.Column("closed_at", Instant),
        _text("note", default=""),
        sa.UniqueConstraint("code", name="campaign_code"),
    )
    sa.Table(
        "campaign_place",
        metadata,
        sa.Column("campaign", UUID, sa.ForeignKey("campaign.id"), primary_key=True),
        sa.Column("place", UUID, sa.ForeignKey("place.uid"), primary_key=True),
        sa.Index("campaign_place_place", "place"),
    )
