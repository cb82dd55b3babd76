"""The tables as SQLAlchemy Core sees them; `alembic check` compares them with what the migrations made."""

from __future__ import annotations

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSON, JSONB, TSTZRANGE, UUID

from gis.store import patroltables, plantables, roundtables

metadata = sa.MetaData()

Instant = sa.DateTime(timezone=True)
Code = sa.Text(collation="C")


def _point() -> Geometry:
    return Geometry("POINT", srid=4326, spatial_index=False)


def _two_times(reference: str = "grid") -> list[sa.Column[object]]:
    """The columns every fact of two times has: whose it is, when true, when known, and the generation that said it."""
    return [
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column(reference, UUID, sa.ForeignKey("grid.uid"), nullable=False),
        sa.Column("valid", TSTZRANGE, nullable=False),
        sa.Column("recorded", TSTZRANGE, nullable=False),
        sa.Column(
            "generation",
            sa.Integer,
            sa.ForeignKey("generation.number", deferrable=True, initially="DEFERRED"),
            nullable=False,
        ),
    ]


def _generation() -> sa.Column[int]:
    return sa.Column(
        "generation",
        sa.Integer,
        sa.ForeignKey("generation.number", deferrable=True, initially="DEFERRED"),
        nullable=False,
    )


layer = sa.Table(
    "layer",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("priority", sa.Integer, nullable=False, unique=True),
    sa.Column("mode", sa.Text, nullable=False, server_default="overlay"),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
)

level = sa.Table(
    "level",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False, unique=True),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
)

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("published_at", Instant, nullable=False, unique=True),
    sa.Column("effective_at", Instant, nullable=False),
    sa.Column("correction", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.Text),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("summary", JSONB, nullable=False, server_default=sa.text("'{}'")),
)

grid = sa.Table(
    "grid",
    metadata,
    sa.Column("uid", UUID, primary_key=True),
    sa.Column("layer", sa.Text, sa.ForeignKey("layer.name"), nullable=False),
    sa.Column("level", sa.Text, sa.ForeignKey("level.name"), nullable=False),
    _generation(),
)

grid_shape = sa.Table(
    "grid_shape",
    metadata,
    *_two_times(),
    sa.Column("geom", Geometry("MULTIPOLYGON", srid=4326, spatial_index=False), nullable=False),
    sa.Column("area_m2", sa.Double, nullable=False),
    sa.Index("grid_shape_geom", "geom", postgresql_using="gist"),
)

grid_code = sa.Table(
    "grid_code",
    metadata,
    *_two_times(),
    sa.Column("code", Code, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Index("grid_code_code", "code"),
)

grid_name = sa.Table("grid_name", metadata, *_two_times(), sa.Column("name", sa.Text, nullable=False))

grid_parent = sa.Table(
    "grid_parent",
    metadata,
    *_two_times(),
    sa.Column("parent", UUID, sa.ForeignKey("grid.uid"), nullable=False),
    sa.Column("ordinal", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index("grid_parent_parent", "parent"),
)

lineage = sa.Table(
    "lineage",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("predecessor", UUID, sa.ForeignKey("grid.uid")),
    sa.Column("successor", UUID, sa.ForeignKey("grid.uid")),
    sa.Column("share", sa.Double),
    _generation(),
    sa.Index("lineage_predecessor", "predecessor"),
    sa.Index("lineage_successor", "successor"),
)

voided_code = sa.Table(
    "voided_code",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("code", Code, nullable=False),
    sa.Column("grid", UUID, sa.ForeignKey("grid.uid"), nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("voided_at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    _generation(),
    sa.Index("voided_code_code", "code"),
)

household = sa.Table(
    "household",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("external_id", sa.Text, unique=True),
    sa.Column("geom", _point(), nullable=False),
    sa.Column("households", sa.Integer, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("crs", sa.Text, nullable=False),
    sa.Column("converter", sa.Text, nullable=False),
    sa.Column("loaded_at", Instant, nullable=False),
    sa.Index("household_geom", "geom", postgresql_using="gist"),
)

context_shape = sa.Table(
    "context_shape",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("width", sa.Double, nullable=False, server_default="1"),
    sa.Column("geom", Geometry("GEOMETRY", srid=4326, spatial_index=False), nullable=False),
    sa.Index("context_shape_geom", "geom", postgresql_using="gist"),
)

#: Of events and receipts, triggers say what foreign keys would: once a statement (migration 0004).
event = sa.Table(
    "event",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("received_at", Instant, primary_key=True),
    sa.Column("reported_at", Instant, nullable=False),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("category_scheme", sa.Text),
    sa.Column("text", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("reporter", sa.Text),
    sa.Column("accuracy_m", sa.Double),
    sa.Column("raw", JSON, nullable=False),
    sa.Column("crs", sa.Text, nullable=False),
    sa.Column("converter", sa.Text, nullable=False),
    sa.Column("geom", _point()),
    sa.Column("status", sa.Text, nullable=False, server_default="open"),
    sa.Column("closed_at", Instant),
    sa.Column("status_reason", sa.Text),
    sa.Column("grid", UUID),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Index("event_received", "received_at", "id"),
    sa.Index("event_occurred", "occurred_at", "id"),
    sa.Index("event_grid", "grid", "received_at"),
    sa.Index("event_geom", "geom", postgresql_using="gist"),
    sa.Index("event_unassigned", "received_at", "id", postgresql_where=sa.text("grid IS NULL AND status = 'open'")),
    postgresql_partition_by="RANGE (received_at)",
)

event_key = sa.Table(
    "event_key",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("event", UUID, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("body_hash", BYTEA, nullable=False),
)

assignment = sa.Table(
    "assignment",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("event", UUID, nullable=False),
    sa.Column("received_at", Instant, primary_key=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("known_at", Instant, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("kernel", sa.Text, nullable=False),
    sa.Column("converter", sa.Text, nullable=False),
    sa.Column("grid", UUID),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("lon", sa.Double),
    sa.Column("lat", sa.Double),
    sa.Column("answer", JSON, nullable=False),
    sa.Column("grounds", JSON, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Index("assignment_event", "event", "id"),
    postgresql_partition_by="RANGE (received_at)",
)

policy = sa.Table(
    "policy",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("published_at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
)

duplicate_rule = sa.Table(
    "duplicate_rule",
    metadata,
    sa.Column("number", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("category", sa.Text, nullable=False, server_default=""),
    sa.Column("scheme", sa.Text, nullable=False, server_default=""),
    sa.Column("radius_m", sa.Double),
    sa.Column("minutes", sa.Double),
    sa.Column("made_at", Instant, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Index("duplicate_rule_newest", "category", "scheme", "number"),
)

event_link = sa.Table(
    "event_link",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("event", UUID, nullable=False),
    sa.Column("event_received_at", Instant, nullable=False),
    sa.Column("other", UUID, nullable=False),
    sa.Column("other_received_at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="duplicate"),
    sa.Column("linked", sa.Boolean, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.ForeignKeyConstraint(["event", "event_received_at"], ["event.id", "event.received_at"]),
    sa.ForeignKeyConstraint(["other", "other_received_at"], ["event.id", "event.received_at"]),
    sa.Index("event_link_pair", "event", "other", "id"),
    sa.Index("event_link_other", "other"),
)

event_duplicate = sa.Table(
    "event_duplicate",
    metadata,
    sa.Column("event", UUID, primary_key=True),
    sa.Column("representative", UUID, nullable=False),
    sa.Index("event_duplicate_representative", "representative"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("made_at", Instant, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Index("audit_subject", "subject", "id"),
)

gazetteer_source = sa.Table(
    "gazetteer_source",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False, unique=True),
    sa.Column("loaded_at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
)

gazetteer_entry = sa.Table(
    "gazetteer_entry",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("source", sa.Text, sa.ForeignKey("gazetteer_source.source"), nullable=False),
    sa.Column("external_id", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("admin", ARRAY(sa.Text), nullable=False),
    sa.Column("aliases", ARRAY(sa.Text), nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("radius_m", sa.Double),
    sa.Column("geom", Geometry("GEOMETRY", srid=4326, spatial_index=False), nullable=False),
    sa.Index("gazetteer_entry_source", "source"),
    sa.Index("gazetteer_entry_geom", "geom", postgresql_using="gist"),
)

category = sa.Table(
    "category",
    metadata,
    sa.Column("scheme", sa.Text, primary_key=True),
    sa.Column("code", Code, primary_key=True),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text),
    sa.Column("group", sa.Text),
    sa.Column("keywords", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("category_active_code", "code", unique=True, postgresql_where=sa.text("active")),
)

webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("topics", ARRAY(sa.Text), nullable=False),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("resume_at", Instant),
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("id", UUID, nullable=False, unique=True, server_default=sa.text("gen_random_uuid()")),
    sa.Column("webhook", UUID, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("notice", sa.Text, nullable=False),
    sa.Column("event", UUID, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("receipt", UUID),
    sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("made_at", Instant, nullable=False, server_default=sa.text("now()")),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
    sa.Column("due_at", Instant, nullable=False, server_default=sa.text("now()")),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_tried_at", Instant),
    sa.Column("last_tried_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Column("answered", sa.Integer),
    sa.Column("fault", sa.Text),
    sa.Index("delivery_due", "webhook", "due_at", "number", postgresql_where=sa.text("state = 'waiting'")),
    sa.Index(
        "delivery_of_event",
        "webhook",
        "event",
        "number",
        postgresql_where=sa.text("state = ANY (ARRAY['waiting'::text, 'dead'::text])"),
    ),
    sa.Index("delivery_listed", "webhook", "number"),
)

plantables.add_to(metadata)
patroltables.add_to(metadata)
roundtables.add_to(metadata)
