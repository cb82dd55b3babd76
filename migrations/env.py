"""Alembic's entry: runs on the connection that `gis.store.engine.migrate` hands over."""

from alembic import context

from gis.store.engine import SCHEMA, is_ours
from gis.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_object=is_ours,
    compare_type=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
