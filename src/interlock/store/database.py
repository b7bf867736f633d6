"""A connection to the database: opened privately, brought to the present schema, one transaction at a time.

Everything that only SQLite needs is in `_for_sqlite`. Elsewhere the SQL is SQLAlchemy's, for PostgreSQL as well.
"""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, text, update
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from interlock.model.errors import StoreError
from interlock.store.files import DIRECTORY_MODE, MODE
from interlock.store.tables import state

VERSIONS = ("0001", "0002", "0003", "0004", "0005")
"""The schema's versions, oldest first; the modules of `migrations/versions` have the same ids."""
_BUSY_S = 10  # how long SQLite waits for another writer; the longest write is a batch of the index


class Database:
    """Transactions on one database, from any number of threads. Every error comes out as StoreError."""

    def __init__(self, url: URL) -> None:
        """Connect and bring the schema up to date. Raises: StoreError, also for a database newer than this program."""
        self.where = url.render_as_string(hide_password=True)
        with self._errors("open"):
            # Parameters are kept out of error texts: they are keys' digests and records.
            self._engine = create_engine(url, hide_parameters=True)
            if self._engine.dialect.name == "sqlite":
                _for_sqlite(self._engine)
            try:
                self._migrate()
            except BaseException:
                self._engine.dispose()
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with self._errors("read"), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is made durable as a whole, or not at all; one writer at a time."""
        with self._errors("write"), self._begin() as connection:
            connection.execute(update(state).values(version=state.c.version + 1))
            yield connection

    def version(self) -> int:
        """Grows with every write of anybody."""
        with self.read() as connection:
            return int(connection.execute(select(state.c.version)).scalar_one())

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(interlock_write=True) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, ImportError, OSError) as error:
            why = error.orig if isinstance(error, DBAPIError) else error
            hint = "see `url` in [store]"
            if isinstance(error, ImportError | NoSuchModuleError):
                hint = "install the driver for this kind of database, such as psycopg for PostgreSQL"
            raise StoreError(f"cannot {doing} the database: {why}", where=self.where, hint=hint) from error

    def _migrate(self) -> None:
        """Alembic is only imported if there is something to do: it costs 11 MB."""
        with self._engine.connect() as connection:
            if self._current(connection) == VERSIONS[-1]:
                return
        with self._begin() as connection:
            # Asked again as the only writer: another process may have done it meanwhile.
            if self._current(connection) != VERSIONS[-1]:
                _upgrade(connection)

    def _current(self, connection: Connection) -> str | None:
        if not inspect(connection).has_table("alembic_version"):
            return None
        current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        if current is not None and current not in VERSIONS:
            raise StoreError(
                f"this database has schema {current}, which this interlock does not know",
                where=self.where,
                hint="a newer interlock has used it: install that one, or name another `url` in [store]",
            )
        return current


def address(url: str, data: Path) -> URL:
    """The database's address: `url`, or if that is empty the SQLite file in the folder `data`.

    Raises: StoreError if it is no address.
    """
    if not url:
        return URL.create("sqlite", database=str(data / "interlock.db"))
    try:
        return make_url(url)
    except ArgumentError:
        # The text is not repeated: an address may hold a password.
        hint = "such as postgresql+psycopg://user@host/interlock; see `url` in [store]"
        raise StoreError("this is not the address of a database", hint=hint) from None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "interlock.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_file(path: Path) -> None:
    """An empty database in WAL mode; if there is one by now, that one stays.

    To change the mode of a file that others have open fails at once, whatever the busy timeout says.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    try:
        with contextlib.closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink()


def _for_sqlite(engine: Engine) -> None:
    """Make the file private, its commits durable, and its transactions real ones."""
    if engine.url.database:
        path = Path(engine.url.database)
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        # Never open a database that exists: closing it would drop the locks of this process's connections.
        if not path.exists():
            _make_file(path)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver begins transactions by its own rules
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        # A revoked key must stay revoked after power loss, so that a commit waits for the disk.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begins(connection: Connection) -> None:
        write = connection.get_execution_options().get("interlock_write")
        # A writer takes its lock at once: one that finds out later must fail instead of waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
