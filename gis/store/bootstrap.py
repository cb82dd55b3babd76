"""What a fresh private server gets before its first migration: role, database, extensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gis.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import psycopg

DATABASE = "gridbeat"
ROLE = "gridbeat"
EXTENSIONS = ("postgis", "btree_gist")


def prepare(conninfo: Callable[[str], str]) -> None:
    """Afterwards the role, the database and its extensions are there, the extensions as new as the programs.

    `conninfo(database)` says how the superuser connects. Run it under the cluster's lock; it may be killed and repeated.
    """
    import psycopg

    try:
        with psycopg.connect(conninfo("postgres"), autocommit=True) as admin:
            _ensure_database(admin)
        with psycopg.connect(conninfo(DATABASE), autocommit=True) as admin:
            for extension in EXTENSIONS:
                _ensure_extension(admin, extension)
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"the database {DATABASE} cannot be prepared: {error}") from error


def _ensure_database(admin: psycopg.Connection) -> None:
    from psycopg import sql

    role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
    if not admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).rowcount:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    if not admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(database, role))
    of_database = "SELECT FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = %s"
    if not admin.execute(of_database, [DATABASE]).rowcount:
        admin.execute(sql.SQL("ALTER DATABASE {} SET search_path = gridbeat, public").format(database))


def _ensure_extension(admin: psycopg.Connection, extension: str) -> None:
    from psycopg import sql

    query = "SELECT installed_version, default_version FROM pg_available_extensions WHERE name = %s"
    have, offered = admin.execute(query, [extension]).fetchone() or (None, None)
    if have is None:
        admin.execute(sql.SQL("CREATE EXTENSION {} SCHEMA public").format(sql.Identifier(extension)))
    elif have != offered:  # the distribution's PostGIS was upgraded under an older database
        admin.execute(sql.SQL("ALTER EXTENSION {} UPDATE").format(sql.Identifier(extension)))
