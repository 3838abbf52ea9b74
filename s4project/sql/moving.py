"""Copies the whole SQL database into another, of the same kind or not, and proves that it is there.

Row by row and column by column as the models have them, in one transaction of the target: all of it
is there afterwards, or nothing. Numbers that were given out once stay given out, so that a new
bucket never gets the number of one that was deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import AutoField

from iam.models import Role
from s4project.sql.address import database
from s4project.sql.visits import unhurried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import Field, Model

SOURCE: Final = "default"
TARGET: Final = "target"
PLACE: Final = ("ENGINE", "NAME", "HOST", "PORT")
ROWS_AT_ONCE: Final = 500
# What an empty database has once its schema is there; it is replaced like the rest.
BORN_WITH: Final = (Permission, ContentType, Role)


class CannotMoveError(Exception):
    """It cannot be moved; the text says why, and nothing was changed."""


class Moved(NamedTuple):
    """How many rows a table has, in both databases."""

    table: str
    rows: int


def open_target(url: str) -> None:
    """Make a database known beside the one in force; CannotMoveError for the same one."""
    found = database(url, settings.S4.data_dir)
    here = settings.DATABASES[SOURCE]
    if all((found.get(part) or "") == (here.get(part) or "") for part in PLACE):
        raise CannotMoveError("this is the database that is in force")
    known = {SOURCE: here, TARGET: found}
    connections.settings[TARGET] = connections.configure_settings(known)[TARGET]


def close_target() -> None:
    """Forget it."""
    connections[TARGET].close()
    del connections[TARGET], connections.settings[TARGET]


def move(progress: Callable[[int, int], None]) -> list[Moved]:
    """Copy everything into the target, which must be empty; CannotMoveError, Django's Error.

    `progress` is told (rows copied or compared, rows there are to copy and compare).
    """
    source, target = connections[SOURCE], connections[TARGET]
    with unhurried(source), unhurried(target):
        if _lacks_migrations(source):
            raise CannotMoveError("this database is of an older S4: start S4 once, and stop it")
        _prepare(target)
        kinds = _kinds()
        total = 2 * sum(kind._base_manager.using(SOURCE).count() for kind in kinds)  # noqa: SLF001
        done = 0
        with transaction.atomic(SOURCE), transaction.atomic(TARGET):
            _stand_still(source)
            for kind in reversed(kinds):
                kind._base_manager.using(TARGET).all()._raw_delete(TARGET)  # noqa: SLF001
            for work in (_copy, _compare):
                for kind in kinds:
                    for count in work(kind):
                        done += count
                        progress(done, total)
            moved = [
                Moved(kind._meta.db_table, kind._base_manager.using(TARGET).count())  # noqa: SLF001
                for kind in kinds
            ]
            for kind in kinds:
                _go_on_counting(kind)
    return moved


def _stand_still(source: BaseDatabaseWrapper) -> None:
    """Read all tables as of one moment; SQLite's one writer at a time is this."""
    if source.vendor == "postgresql":
        with source.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _lacks_migrations(connection: BaseDatabaseWrapper) -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _prepare(target: BaseDatabaseWrapper) -> None:
    """Make the schema, and refuse a database in which somebody has something."""
    tables = set(target.introspection.table_names())
    strangers = tables - {kind._meta.db_table for kind in _kinds()} - {"django_migrations"}  # noqa: SLF001
    if strangers:
        raise CannotMoveError(f"there are tables already that S4 does not know: {min(strangers)}")
    call_command("migrate", database=TARGET, verbosity=0, interactive=False)
    for kind in _kinds():
        if kind not in BORN_WITH and kind._base_manager.using(TARGET).exists():  # noqa: SLF001
            raise CannotMoveError(f"there are rows already in {kind._meta.db_table}")  # noqa: SLF001


def _kinds() -> list[type[Model]]:
    """Name what has a table, those between two others too."""
    kinds = apps.get_models(include_auto_created=True)
    return [kind for kind in kinds if kind._meta.managed and not kind._meta.proxy]  # noqa: SLF001


def _columns(kind: type[Model]) -> list[Field[Any, Any]]:
    return list(kind._meta.local_concrete_fields)  # noqa: SLF001  # public in all but its name


def _rows(kind: type[Model], alias: str) -> Iterator[tuple[Any, ...]]:
    """Read a table in the order of its keys, as Python's values."""
    rows = kind._base_manager.using(alias).order_by("pk")  # noqa: SLF001
    names = [column.attname for column in _columns(kind)]
    yield from rows.values_list(*names).iterator(ROWS_AT_ONCE)


def _copy(kind: type[Model]) -> Iterator[int]:
    """Write every row, past what models do when they are saved."""
    target, columns = connections[TARGET], _columns(kind)
    quote = target.ops.quote_name
    names = ", ".join(quote(str(column.column)) for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {quote(kind._meta.db_table)} ({names}) VALUES ({marks})"  # noqa: S608, SLF001  # quoted
    batch: list[list[Any]] = []
    with target.cursor() as cursor:
        for row in _rows(kind, SOURCE):
            batch.append(
                [
                    column.get_db_prep_save(value, target)
                    for column, value in zip(columns, row, strict=True)
                ]
            )
            if len(batch) == ROWS_AT_ONCE:
                cursor.executemany(statement, batch)
                yield len(batch)
                batch = []
        if batch:
            cursor.executemany(statement, batch)
            yield len(batch)


def _compare(kind: type[Model]) -> Iterator[int]:
    """Read every row of both again, and refuse the whole when they are not the same."""
    ends, count = object(), 0
    ours, theirs = _rows(kind, SOURCE), _rows(kind, TARGET)
    if not isinstance(kind._meta.pk, AutoField):  # noqa: SLF001  # databases sort texts their own way
        ours, theirs = iter(sorted(ours, key=repr)), iter(sorted(theirs, key=repr))
    while (row := next(ours, ends)) is not ends:
        if row != next(theirs, None):
            raise CannotMoveError(f"a row of {kind._meta.db_table} is not what it was")  # noqa: SLF001
        count += 1
        if count % ROWS_AT_ONCE == 0:
            yield ROWS_AT_ONCE
    if next(theirs, ends) is not ends:
        raise CannotMoveError(f"there are more rows in {kind._meta.db_table}")  # noqa: SLF001
    yield count % ROWS_AT_ONCE


def _go_on_counting(kind: type[Model]) -> None:
    """Have the target give out the numbers that come after the last which the source gave out."""
    key = kind._meta.pk  # noqa: SLF001
    if not isinstance(key, AutoField):
        return
    table = kind._meta.db_table  # noqa: SLF001
    last = _last_number(connections[SOURCE], table, str(key.column))
    if not last:
        return
    target = connections[TARGET]
    with target.cursor() as cursor:
        if target.vendor == "postgresql":
            where: list[str | int] = [target.ops.quote_name(table), str(key.column), last]
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", where)
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])


def _last_number(source: BaseDatabaseWrapper, table: str, column: str) -> int:
    """Tell the largest number that was ever given out, though its row may be deleted."""
    with source.cursor() as cursor:
        if source.vendor == "postgresql":
            name = source.ops.quote_name(table)
            cursor.execute(
                "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s))", [name, column]
            )
        else:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0
