"""What the store alone can do: the rows of a load, copied in again in PostgreSQL's binary form. For `gridbeat bench batch`.

Only for a database of the bench's own: it empties tables that elsewhere are never emptied.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

#: What a report is made of, in an order in which references hold.
TABLES = ("event", "assignment", "event_key")


def empty(engine: sa.Engine) -> None:
    """No event is left, nor its receipts and keys."""
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        connection.execute(sa.text(f"TRUNCATE {', '.join(TABLES)} CASCADE"))
        for table in TABLES:
            connection.execute(sa.text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def count(engine: sa.Engine) -> tuple[int, int]:
    """How many events there are, and how many receipts."""
    with engine.begin() as connection:
        events, receipts = connection.execute(
            sa.text("SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM assignment)")
        ).one()
    return events, receipts


def taken(engine: sa.Engine) -> dict[str, bytes]:
    """The rows of each table in binary form."""
    with engine.begin() as connection:
        cursor: Any = connection.connection.cursor()
        found = {}
        for table in TABLES:
            with cursor.copy(f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)") as copy:  # noqa: S608 - a constant
                found[table] = b"".join(copy)
    return found


MONTHS = sa.text("""
    SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = CAST(:name AS regclass) AND child.relkind = 'r'
""")


def copied(engine: sa.Engine, rows: dict[str, bytes]) -> float:
    """Seconds until the rows were in their tables again and committed; straight into the month where there is one, as a load does it."""
    with engine.begin() as connection:
        months = {table: connection.execute(MONTHS, {"name": table}).scalars().all() for table in TABLES}
    begun = time.perf_counter()
    with engine.begin() as connection:
        cursor: Any = connection.connection.cursor()
        for table in TABLES:
            target = months[table][0] if len(months[table]) == 1 else table
            with cursor.copy(f"COPY {target} FROM STDIN (FORMAT binary)") as copy:
                copy.write(rows[table])
    return time.perf_counter() - begun
