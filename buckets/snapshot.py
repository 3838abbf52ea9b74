"""Makes the registry from the database, in one query; a second one for what is new.

It is done by every worker after every change of a bucket or a user, so what a change does not
touch is taken from the registry before: rows are read as they are stored, and compared.
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.db.models import QuerySet

OF_STATE: Final = (
    *("pk", "name", "owner__canonical_id", "owner__display_name", "owner__username"),
    *("region", "created_at", "owner__quota"),
)
OF_CONFIGURATION: Final = tuple(
    name for name in BucketConfiguration.__struct_fields__ if name != "lifecycle"
)
# The rules are rows of their own, and are read where these say that they are others.
OF_LIFECYCLE: Final = ("lifecycle_mark", "lifecycle_minimum_size")
BATCH_BUCKETS_MAX: Final = 500


class RegistryReader:
    """Reads registries one after the other, in any thread."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Any, ...], BucketState]] = {}

    def read(self) -> Registry:
        """Read every bucket with its owner's names."""
        before, known, fresh = self._known, {}, {}
        for row in Bucket.objects.order_by().values_list(*_stored()):
            found = before.get(row[0])
            if found is not None and found[0] == row:
                known[row[0]] = found
            else:
                fresh[row[0]] = row
        # What has changed between the queries is seen next time: what is compared then is the row.
        for state in _fresh_states(fresh):
            known[state.id] = (fresh[state.id], state)
        self._known = known
        return Registry(state for _, state in known.values())


def load_registry() -> Registry:
    """Read a registry from the first row on."""
    return RegistryReader().read()


def states(buckets: QuerySet[Bucket]) -> Iterator[BucketState]:
    """Show rows, with their owners' names, to the data path."""
    rows = list(buckets.values(*OF_STATE, *OF_LIFECYCLE, *OF_CONFIGURATION))
    lifecycles = read_lifecycles(
        {
            row["pk"]: row["lifecycle_minimum_size"]
            for row in rows
            if row["lifecycle_mark"] is not None
        }
    )
    for row in rows:
        columns = {name: row[name] for name in OF_CONFIGURATION}
        columns["lifecycle"] = lifecycles.get(row["pk"])
        yield BucketState(
            id=row["pk"],
            name=row["name"],
            owner_canonical_id=row["owner__canonical_id"],
            owner_display_name=row["owner__display_name"] or row["owner__username"],
            region=row["region"],
            created_ms=_ms(row["created_at"]),
            configuration=msgspec.convert(columns, BucketConfiguration),
            is_owner_bounded=row["owner__quota"] is not None,
        )


def _fresh_states(pks: dict[int, Any]) -> Iterator[BucketState]:
    """Read the buckets of some ids."""
    left = iter(pks)
    while batch := list(islice(left, BATCH_BUCKETS_MAX)):
        yield from states(Bucket.objects.filter(pk__in=batch).order_by())


def _stored() -> Iterator[str | Cast]:
    """Name all that a state is made of, as it is stored: reading JSON takes most of the time."""
    for name in OF_STATE:
        if name == "owner__quota":
            yield Cast(name, TextField())
        elif name != "created_at":  # which never changes
            yield name
    yield from OF_LIFECYCLE
    for name in OF_CONFIGURATION:
        is_json = isinstance(Bucket._meta.get_field(name), JSONField)  # noqa: SLF001  # Django's public name
        yield Cast(name, TextField()) if is_json else name


def _ms(moment: datetime) -> int:
    """Turn a moment into epoch milliseconds."""
    return int(moment.timestamp() * 1000)
