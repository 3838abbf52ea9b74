"""Makes the registry from the database, in one query; one more for the rules of what is new.

It is done by every worker after every change of a bucket or a user, so what a change does not
touch is taken from the registry before: rows are read as they are stored, and compared. A state is
made of the very row that it is kept with: made of a later reading, it would stay for good where a
change between the two was taken back before the next.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.db.models import JSONField, TextField
from django.db.models.functions import Cast

from buckets.configuration import BucketConfiguration
from buckets.lifecycle_rows import read_lifecycles
from buckets.models import Bucket
from buckets.registry import BucketState, Registry
from iam.services.snapshot import stored_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import QuerySet

OF_STATE: Final = (
    *("pk", "name", "owner__canonical_id", "owner__display_name", "owner__username"),
    *("region", "created_at", "owner__quota"),
)
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

Row = tuple[Any, ...]  # of COLUMNS, as they are stored


class RegistryReader:
    """Reads registries one after the other, in any thread."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Row, BucketState]] = {}

    def read(self) -> Registry:
        """Read every bucket with its owner's names."""
        before, known, fresh = self._known, {}, {}
        for row in _rows(Bucket.objects.order_by()):
            found = before.get(row[0])
            if found is not None and found[0] == row:
                known[row[0]] = found
            else:
                fresh[row[0]] = row
        for state in _states(fresh.values()):
            known[state.id] = (fresh[state.id], state)
        self._known = known
        return Registry(state for _, state in known.values())


def load_registry() -> Registry:
    """Read a registry from the first row on."""
    return RegistryReader().read()


def states(buckets: QuerySet[Bucket]) -> Iterator[BucketState]:
    """Show rows, with their owners' names, to the data path."""
    return _states(_rows(buckets))


def _rows(buckets: QuerySet[Bucket]) -> Iterable[Row]:
    """Read rows as they are stored: to take JSON and times apart is most of the time."""
    return buckets.values_list(
        *(Cast(name, TextField()) if name in AS_TEXT else name for name in COLUMNS)
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
