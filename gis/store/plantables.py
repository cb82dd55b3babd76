"""The tables of plans and of what publications owe, as SQLAlchemy Core sees them."""

from __future__ import annotations

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

Instant = sa.DateTime(timezone=True)


def _id() -> sa.Column[object]:
    return sa.Column("id", UUID, primary_key=True)


def _of_plan() -> sa.Column[object]:
    return sa.Column("plan", UUID, sa.ForeignKey("plan.id"), nullable=False)


def add_to(metadata: sa.MetaData) -> None:
    """`metadata` knows the tables of migration 0003 afterwards."""
    _add_plan(metadata)
    _add_words(metadata)
    _add_reassignment(metadata)


def _add_plan(metadata: sa.MetaData) -> None:
    sa.Table(
        "plan",
        metadata,
        _id(),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("base", sa.Integer, sa.ForeignKey("generation.number")),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="draft"),
        sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
        sa.Column("newest", sa.Integer, nullable=False, server_default="0"),
        sa.Column("step", sa.Integer, nullable=False, server_default="0"),
        sa.Column("forked_from", UUID, sa.ForeignKey("plan.id")),
        sa.Column("forked_step", sa.Integer),
        sa.Column("generation", sa.Integer, sa.ForeignKey("generation.number"), unique=True),
        sa.Index("plan_changed", "changed_at", "id"),
        sa.Index("plan_forks", "forked_from"),
    )
    sa.Table(
        "plan_operation",
        metadata,
        _id(),
        _of_plan(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("op", sa.Text, nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.Column("codes", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.UniqueConstraint("plan", "number", name="plan_operation_number"),
    )


def _add_words(metadata: sa.MetaData) -> None:
    sa.Table(
        "plan_comment",
        metadata,
        _id(),
        _of_plan(),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Index("plan_comment_plan", "plan", "id"),
    )
    sa.Table(
        "plan_review",
        metadata,
        _id(),
        _of_plan(),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False, server_default=""),
        sa.Column("made_at", Instant, nullable=False),
        sa.Index("plan_review_plan", "plan", "id"),
    )


def _add_reassignment(metadata: sa.MetaData) -> None:
    sa.Table(
        "reassignment",
        metadata,
        sa.Column("generation", sa.Integer, sa.ForeignKey("generation.number"), primary_key=True, autoincrement=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("done_at", Instant),
        sa.Column("moved", sa.Integer),
        sa.Index("reassignment_due", "due_at", "generation", postgresql_where=sa.text("done_at IS NULL")),
    )
    sa.Index(
        "event_open_addressed",
        metadata.tables["event"].c.grid,
        postgresql_where=sa.text("status = 'open'::text AND geom IS NULL"),
    )
    sa.Index(
        "event_open_unsure",
        metadata.tables["event"].c.geom,
        postgresql_using="gist",
        postgresql_where=sa.text("status = 'open'::text AND accuracy_m > 100::double precision"),
    )
