"""Which buckets exist and whose they are: an immutable snapshot, found by name in O(1).

The data path reads it instead of SQL and takes a new one when a generation moved. Knows no
Django: `buckets.services.load_registry` fills it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from buckets.configuration import AS_NEW, Ownership
from iam.documents import load_policy
from storage_engine import LifecycleRules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from buckets.configuration import BucketConfiguration
    from iam.acl import Grant
    from iam.documents import Policy

# Names are ASCII, so the order of str is the UTF-8 byte order that S3 lists in.
BY_NAME: Final = attrgetter("name")


@dataclass(frozen=True, slots=True)
class BucketState:
    """A bucket as the data path sees one.

    `id` is the namespace id in the engine, `created_ms` epoch milliseconds.
    """

    id: int
    name: str
    owner_canonical_id: str
    owner_display_name: str
    region: str
    created_ms: int
    configuration: BucketConfiguration = AS_NEW
    is_owner_bounded: bool = False  # what all buckets of the owner may hold together is bounded
    _read: list[Policy] = field(default_factory=list, init=False, repr=False, compare=False)
    _rules: list[LifecycleRules] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    @property
    def grants(self) -> tuple[Grant, ...] | None:
        """What the bucket's ACL grants; None: nothing to anybody but its owner."""
        return self.configuration.grants

    @property
    def has_acls(self) -> bool:
        """Whether ACLs mean anything here, and objects may be others' than the bucket's owner's."""
        return self.configuration.ownership is not Ownership.BUCKET_OWNER_ENFORCED

    @property
    def ignores_public_acls(self) -> bool:
        """Whether what is granted to everybody counts for nothing."""
        block = self.configuration.public_access_block
        return block is not None and block.ignore_public_acls

    @property
    def policy(self) -> Policy | None:
        """The bucket's policy, ready to be asked: read when it is first wanted, and kept."""
        text = self.configuration.policy
        if text is None:
            return None
        if not self._read:
            self._read.append(load_policy(text))
        return self._read[0]

    @property
    def is_bounded(self) -> bool:
        """Whether there is a quota that a write may meet, the bucket's or its owner's."""
        return self.is_owner_bounded or self.configuration.quota is not None

    @property
    def lifecycle_rules(self) -> LifecycleRules | None:
        """The lifecycle rules, ready to be asked in days of the calendar, as `policy`."""
        lifecycle = self.configuration.lifecycle
        if lifecycle is None:
            return None
        if not self._rules:
            self._rules.append(LifecycleRules(lifecycle.rules))
        return self._rules[0]

    @property
    def restricts_public_policy(self) -> bool:
        """Whether a policy that is open to everybody holds for the bucket's owner alone."""
        block = self.configuration.public_access_block
        return block is not None and block.restrict_public_buckets


class Registry:
    """All buckets. Never changes once made; lists it hands out are the caller's own."""

    __slots__ = ("_by_name", "_by_owner")

    def __init__(self, buckets: Iterable[BucketState]) -> None:
        ordered = sorted(buckets, key=BY_NAME)
        self._by_name = {bucket.name: bucket for bucket in ordered}
        self._by_owner: dict[str, list[BucketState]] = {}
        for bucket in ordered:
            self._by_owner.setdefault(bucket.owner_canonical_id, []).append(bucket)

    def __len__(self) -> int:
        return len(self._by_name)

    def changed(self, gone: Collection[BucketState], come: Collection[BucketState]) -> Registry:
        """Make the registry that has not some of these buckets, and has others."""
        found = Registry(())
        found._by_name = self._by_name.copy()
        new = {bucket.name: bucket for bucket in come}
        for bucket in gone:
            if bucket.name not in new:
                del found._by_name[bucket.name]
        is_in_order = new.keys() <= found._by_name.keys()
        found._by_name |= new
        if not is_in_order:
            ordered = sorted(found._by_name.values(), key=BY_NAME)
            found._by_name = {bucket.name: bucket for bucket in ordered}
        found._by_owner = self._by_owner.copy()
        ids = {bucket.id for bucket in gone}
        for owner in {bucket.owner_canonical_id for bucket in (*gone, *come)}:
            owned = [bucket for bucket in self._by_owner.get(owner, ()) if bucket.id not in ids]
            owned += (bucket for bucket in come if bucket.owner_canonical_id == owner)
            found._by_owner[owner] = sorted(owned, key=BY_NAME)
        return found

    def find(self, name: str) -> BucketState | None:
        """Find a bucket by its name."""
        return self._by_name.get(name)

    def owned_by(self, canonical_id: str) -> list[BucketState]:
        """List the buckets of one owner, in order of name."""
        return list(self._by_owner.get(canonical_id, ()))

    def all(self) -> list[BucketState]:
        """List every bucket, in order of name."""
        return list(self._by_name.values())
