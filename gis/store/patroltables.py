"""The tables of patrols, as SQLAlchemy Core sees them."""

from __future__ import annotations

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import TSTZRANGE, UUID

Instant = sa.DateTime(timezone=True)
Code = sa.Text(collation="C")


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _id(name: str = "id") -> sa.Column[object]:
    return sa.Column(name, UUID, primary_key=True)


def _member(*, nullable: bool = False) -> sa.Column[object]:
    return sa.Column("member", UUID, sa.ForeignKey("member.uid"), nullable=nullable)


def _text(name: str, *, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def add_to(metadata: sa.MetaData) -> None:
    """`metadata` knows the tables of migration 0005 afterwards."""
    _add_members(metadata)
    _add_duty(metadata)
    _add_checkins(metadata)
    _add_places(metadata)
    _add_fixes(metadata)


def _add_members(metadata: sa.MetaData) -> None:
    sa.Table(
        "member",
        metadata,
        _id("uid"),
        sa.Column("number", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("code", Code, nullable=False),
        _text("name"),
        _text("role", default="member"),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.UniqueConstraint("number", name="member_number"),
        sa.UniqueConstraint("code", name="member_code"),
    )
    sa.Table(
        "membership",
        metadata,
        _number(),
        _member(),
        sa.Column("grid", UUID, sa.ForeignKey("grid.uid"), nullable=False),
        sa.Column("valid", TSTZRANGE, nullable=False),
        sa.Index("membership_grid", "grid"),
    )


def _add_duty(metadata: sa.MetaData) -> None:
    sa.Table(
        "shift",
        metadata,
        _id(),
        _member(),
        sa.Column("during", TSTZRANGE, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.UniqueConstraint("external_id", name="shift_external_id"),
    )
    sa.Table(
        "leave",
        metadata,
        _id(),
        _member(),
        sa.Column("during", TSTZRANGE, nullable=False),
        _text("kind", default=""),
        sa.Column("external_id", sa.Text),
        sa.UniqueConstraint("external_id", name="leave_external_id"),
    )


def _add_checkins(metadata: sa.MetaData) -> None:
    sa.Table(
        "checkin",
        metadata,
        _id(),
        _member(),
        sa.Column("at", Instant, nullable=False),
        _text("kind"),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False), nullable=False),
        sa.Column("accuracy_m", sa.Double),
        sa.Column("x", sa.Double, nullable=False),
        sa.Column("y", sa.Double, nullable=False),
        _text("crs"),
        _text("converter"),
        _text("note", default=""),
        sa.Column("standing", sa.Text),
        sa.Column("distance_m", sa.Double),
        sa.Column("grid", UUID, sa.ForeignKey("grid.uid")),
        sa.Column("found", UUID, sa.ForeignKey("grid.uid")),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.UniqueConstraint("member", "at", "kind", name="checkin_once"),
        sa.Index("checkin_at", "at"),
    )


def _add_places(metadata: sa.MetaData) -> None:
    sa.Table(
        "place",
        metadata,
        _id("uid"),
        sa.Column("code", Code, nullable=False),
        _text("kind"),
        _text("name"),
        sa.Column("address", sa.Text),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False), nullable=False),
        _text("crs"),
        _text("converter"),
        sa.Column("revisit_days", sa.Double),
        sa.Column("valid", TSTZRANGE, nullable=False),
        sa.UniqueConstraint("code", name="place_code"),
        sa.Index("place_geom", "geom", postgresql_using="gist"),
    )
    sa.Table(
        "visit",
        metadata,
        _id(),
        sa.Column("place", UUID, sa.ForeignKey("place.uid"), nullable=False),
        _member(nullable=True),
        sa.Column("event", UUID),
        sa.Column("at", Instant, nullable=False),
        _text("outcome"),
        _text("note", default=""),
        sa.Column("received_at", Instant, nullable=False),
        sa.UniqueConstraint("place", "member", "at", name="visit_once"),
        sa.UniqueConstraint("place", "event", name="visit_of_event"),
        sa.Index("visit_at", "at"),
    )
    sa.Table(
        "street",
        metadata,
        _number(),
        _text("source"),
        sa.Column("external_id", sa.Text),
        _text("name", default=""),
        _text("kind", default=""),
        sa.Column("length_m", sa.Double, nullable=False),
        sa.Column("geom", Geometry("MULTILINESTRING", srid=4326, spatial_index=False), nullable=False),
        sa.UniqueConstraint("source", "external_id", name="street_external_id"),
        sa.Index("street_geom", "geom", postgresql_using="gist"),
    )


def _add_fixes(metadata: sa.MetaData) -> None:
    sa.Table(
        "fix",
        metadata,
        sa.Column("at", Instant, nullable=False),
        sa.Column("member", sa.Integer, nullable=False),
        sa.Column("lon", sa.Integer, nullable=False),
        sa.Column("lat", sa.Integer, nullable=False),
        sa.Column("accuracy", sa.SmallInteger, nullable=False),
        sa.Column("datum", sa.SmallInteger, nullable=False),
        sa.Index("fix_where", "at", "member", postgresql_using="brin"),
    )
    sa.Table(
        "fix_day",
        metadata,
        sa.Column("member", sa.Integer, sa.ForeignKey("member.number"), primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("fixes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("first_at", Instant),
        sa.Column("last_at", Instant),
        sa.Column("change", sa.BigInteger, nullable=False, server_default="0"),
        sa.Index("fix_day_day", "day"),
    )
