"""The one translator: whatever the driver raises becomes a GridError leaf; a database message never leaves this room."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from gis.errors import DatabaseUnavailable, GenerationOrder, GridError, StateConflict

log = logging.getLogger("gridbeat.store")


class StoreRefused(StateConflict):
    """A truth of the database (a constraint) would be broken; `place` is the constraint's name."""

    code = "store-refused"


#: What leaves it open whether a commit was done.
CONNECTION_LOST = (sa.exc.OperationalError, psycopg.OperationalError, sa.exc.TimeoutError)
#: Everything a database call may raise.
DRIVER_ERRORS = (sa.exc.SQLAlchemyError, psycopg.Error)


def translated(error: Exception) -> GridError:
    """The GridError that says what a driver's error means to a caller; the driver's own words go to the log."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    log.error("database: %s: %s", type(cause).__name__, str(cause).strip())
    if isinstance(cause, psycopg.errors.IntegrityError):
        constraint = cause.diag.constraint_name or "unnamed"
        if constraint == "generation_order":
            return GenerationOrder(
                "the generation would take effect before the newest published one", place="effective_at"
            )
        return StoreRefused(f"the store refused this: it would break {constraint}", place=constraint)
    if isinstance(cause, psycopg.errors.DataError):
        return StoreRefused("the store refused a value", place=cause.diag.column_name or "value")
    return DatabaseUnavailable("the database does not answer; nothing was stored")


@contextmanager
def translating() -> Iterator[None]:
    """Within this block a driver's error leaves as its GridError."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translated(error) from error
