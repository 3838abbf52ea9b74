"""Makes the registry from the database, in one query; one more for the rules of what is new.

It is done by every worker after every change of a bucket or a user, so only what the change was of
is read: rows as they are stored, compared with those from before. A state is made of the very row
that it is kept with: made of a later reading, it would stay for good where a change between the two
was taken back before the next.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec
from django.db.models import JSONField, TextField
from django.db.models.functions import Cast

from buckets.configuration import BucketConfiguration
from buckets.lifecycle_rows import read_lifecycles
from buckets.models import Bucket
from buckets.registry import BucketState, Registry
from iam.models import User
from iam.models.changes import Kind
from iam.services.changes import EVERYTHING
from iam.services.prepared import Prepared, Row
from iam.services.snapshot import stored_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import QuerySet

    from iam.services.changes import Changes

SHOWN: Final = ("canonical_id", "display_name", "username", "quota")  # of an owner
OF_STATE: Final = (
    *("pk", "owner_id", *(f"owner__{name}" for name in SHOWN)),
    *("name", "region", "created_at"),
)
OF_OWNER: Final = slice(2, 2 + len(SHOWN))
OF_CONFIGURATION: Final = tuple(
    name for name in BucketConfiguration.__struct_fields__ if name != "lifecycle"
)
JSON_FIELDS: Final = frozenset(
    name
    for name in OF_CONFIGURATION
    if isinstance(Bucket._meta.get_field(name), JSONField)  # noqa: SLF001  # Django's public name
)
# The rules are rows of their own, whose keys no later ones have: the mark tells which they are.
OF_LIFECYCLE: Final = ("lifecycle_mark", "lifecycle_minimum_size")
COLUMNS: Final = (*OF_STATE, *OF_LIFECYCLE, *OF_CONFIGURATION)
AS_TEXT: Final = frozenset({"created_at", "owner__quota"}) | JSON_FIELDS
BATCH_BUCKETS_MAX: Final = 500
CHOSEN_MAX: Final = 500  # buckets; of more all are read


class RegistryReader:
    """Reads registries one after the other. Belongs to one thread at a time.

    After a reading that failed everything has to be read.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Row, BucketState]] = {}
        self._owned: dict[int, set[int]] = {}  # the buckets of each owner, by keys
        self._registry = Registry(())

    def read(self, changes: Changes = EVERYTHING) -> Registry:
        """Read what changed of buckets and of how their owners are shown."""
        chosen = None if changes.is_everything else self._chosen(changes)
        if chosen is None or len(chosen) > CHOSEN_MAX:
            self._owned.clear()
            self._replace(list(self._known), READ.read())
            self._registry = Registry(state for _, state in self._known.values())
        elif chosen:
            gone, come = self._replace(chosen, READ.read(chosen))
            if gone or come:
                self._registry = self._registry.changed(gone, come)
        return self._registry

    def _chosen(self, changes: Changes) -> set[int]:
        """Choose the buckets to be read: those that changed, or whose owner did."""
        chosen = set(changes.of(Kind.BUCKET))
        owners = [user for user in changes.of(Kind.USER) if self._owned.get(user)]
        for owner, *shown in OWNERS.read(owners) if owners else ():
            owned = self._owned[owner]
            if any(self._known[bucket][0][OF_OWNER] != tuple(shown) for bucket in owned):
                chosen |= owned
        return chosen

    def _replace(
        self, chosen: Iterable[int], rows: Iterable[Row]
    ) -> tuple[list[BucketState], list[BucketState]]:
        """Read rows in the place of those known; tell which states went, and which came."""
        before = {number: self._known.pop(number) for number in chosen if number in self._known}
        for row, _ in before.values():
            self._owned.setdefault(row[1], set()).discard(row[0])
        fresh = {}
        for row in rows:
            found = before.get(row[0])
            self._owned.setdefault(row[1], set()).add(row[0])
            if found is not None and found[0] == row:
                self._known[row[0]] = before.pop(row[0])
            else:
                fresh[row[0]] = row
        come = list(_states(fresh.values()))
        for state in come:
            self._known[state.id] = (fresh[state.id], state)
        return [state for _, state in before.values()], come


def load_registry() -> Registry:
    """Read a registry from the first row on."""
    return RegistryReader().read()


def states(buckets: QuerySet[Bucket]) -> Iterator[BucketState]:
    """Show rows, with their owners' names, to the data path."""
    return _states(_rows(buckets))


def _rows(buckets: QuerySet[Bucket]) -> QuerySet[Bucket, Row]:
    """Read rows as they are stored: to take JSON and times apart is most of the time."""
    return buckets.values_list(
        *(Cast(name, TextField()) if name in AS_TEXT else name for name in COLUMNS)
    )


READ: Final = Prepared(_rows(Bucket.objects.order_by("pk")).all, "pk")
# How owners are shown, as the rows of their buckets have it.
OWNERS: Final = Prepared(
    User.objects.order_by("pk")
    .values_list("pk", *(Cast(n, TextField()) if n == "quota" else n for n in SHOWN))
    .all,
    "pk",
)


def _states(rows: Iterable[Row]) -> Iterator[BucketState]:
    """Make states of rows."""
    left = iter(rows)
    while batch := [
        dict(zip(COLUMNS, row, strict=True)) for row in islice(left, BATCH_BUCKETS_MAX)
    ]:
        lifecycles = read_lifecycles(
            {
                row["pk"]: row["lifecycle_minimum_size"]
                for row in batch
                if row["lifecycle_mark"] is not None
            }
        )
        for row in batch:
            columns = {name: row[name] for name in OF_CONFIGURATION}
            for name in JSON_FIELDS:
                if columns[name] is not None:
                    columns[name] = msgspec.json.decode(columns[name])
            columns["lifecycle"] = lifecycles.get(row["pk"])
            yield BucketState(
                id=row["pk"],
                name=row["name"],
                owner_canonical_id=row["owner__canonical_id"],
                owner_display_name=row["owner__display_name"] or row["owner__username"],
                region=row["region"],
                created_ms=stored_ms(row["created_at"]),
                configuration=msgspec.convert(columns, BucketConfiguration),
                is_owner_bounded=row["owner__quota"] is not None,
            )
