"""The stage of the lock matrix: versions under every lock, in every place of a key's history."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from storage_engine import DAY_MS, LockMode, ObjectLock, Versioning
from tests.storage_engine.engine_steps import attributes, noise, problems, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import ObjectInfo, StorageEngine
    from storage_engine.futures import Future

ENABLED, SUSPENDED, UNVERSIONED = Versioning.ENABLED, Versioning.SUSPENDED, Versioning.UNVERSIONED
NONE = ObjectLock()
BEGIN_MS: Final = 1000 * DAY_MS
SOON_MS: Final = BEGIN_MS + DAY_MS // 2  # the retentions that are over when a path is gone
LATE_MS: Final = BEGIN_MS + 100 * DAY_MS
GOVERNED, COMPLIANT = (
    ObjectLock(mode, LATE_MS) for mode in (LockMode.GOVERNANCE, LockMode.COMPLIANCE)
)
HELD = ObjectLock(has_hold=True, had_hold=True)

STATES: Final = {
    "none": NONE,
    "governance": GOVERNED,
    "governance expired": ObjectLock(LockMode.GOVERNANCE, SOON_MS),
    "compliance": COMPLIANT,
    "compliance expired": ObjectLock(LockMode.COMPLIANCE, SOON_MS),
    "hold": HELD,
    "hold taken off": ObjectLock(had_hold=True),
    "hold and governance": HELD._replace(mode=LockMode.GOVERNANCE, retain_until_ms=LATE_MS),
    "hold and compliance": HELD._replace(mode=LockMode.COMPLIANCE, retain_until_ms=LATE_MS),
    "hold and compliance expired": HELD._replace(mode=LockMode.COMPLIANCE, retain_until_ms=SOON_MS),
}
FREE: Final = frozenset({"none", "governance expired", "compliance expired", "hold taken off"})


class Place(NamedTuple):
    """Where a version is: the null version or one of its own id, and what came over it."""

    is_null: bool
    above: str  # "" | "version" | "marker"


PLACES: Final = tuple(Place(*place) for place in product((False, True), ("", "version", "marker")))


@dataclass
class Clock:
    """Tells the time that it was set to."""

    now_ms: int = BEGIN_MS

    def __call__(self) -> int:
        """Tell it."""
        return self.now_ms


@dataclass
class Cell:
    """One version, which a path is tried on. Its bucket and its prefix hold nothing else."""

    engine: StorageEngine
    number: int
    state: str
    place: Place
    pending: list[Future[ObjectInfo]] = field(default_factory=list)
    info: ObjectInfo | None = None

    @property
    def bucket_id(self) -> int:
        """The cell's own bucket."""
        return self.number + 1

    @property
    def key(self) -> str:
        """The key of the version."""
        return "in/k"

    @property
    def data(self) -> bytes:
        """Return its bytes, which nobody shares: every other cell's lie in a volume."""
        return noise(20 + self.number % 2 * 100, self.number)

    @property
    def version_id(self) -> str:
        """The id of the version."""
        assert self.info is not None
        return self.info.version_id

    def put(
        self, key: str, data: bytes, versioning: Versioning = ENABLED, lock: ObjectLock = NONE
    ) -> Future[ObjectInfo]:
        """Put an object beside, or over, the version."""
        blob = self.engine.stage_bytes(data)
        return self.engine.put_object(
            self.bucket_id, key, blob, attributes(data), versioning=versioning, lock=lock
        )

    def build(self) -> None:
        """Submit what makes the version."""
        versioning = UNVERSIONED if self.place.is_null else ENABLED
        self.pending.append(self.put(self.key, self.data, versioning, STATES[self.state]))

    def cover(self) -> None:
        """Submit what is above it, once it is there."""
        self.info = self.pending.pop().result()
        if self.place.above == "version":
            self.pending.append(self.put(self.key, b"above"))
        elif self.place.above == "marker":
            self.engine.delete_object(self.bucket_id, self.key, versioning=ENABLED)

    def is_bound(self, *, bypass: bool) -> bool:
        """Tell whether nothing may take the version away."""
        return self.state not in FREE and not (bypass and self.state == "governance")

    def where(self) -> list[str]:
        """Read under which keys the version is, with its bytes, its id, its time and its lock."""
        assert self.info is not None
        found = []
        for info in self.engine.list_versions(self.bucket_id).versions:
            if info.version_id != self.version_id or info.modified_ms != self.info.modified_ms:
                continue
            plain = msgspec.structs.replace(info, key=self.key, is_latest=self.info.is_latest)
            if info.is_marker or plain.sha256 != self.info.sha256:
                continue
            assert plain.lock == self.info.lock
            with self.engine.open_object(self.bucket_id, info.key, info.version_id) as reader:
                if reader.read(0, reader.info.size) == self.data:
                    found.append(info.key)
        return found


@contextmanager
def staged(path: Path) -> Iterator[tuple[Clock, list[Cell]]]:
    """Make a store with a cell for each lock in each place, then let a day go by."""
    clock = Clock()
    with small_store(path, clock=clock, lifecycle_day_ms=1000) as engine:
        cells = [Cell(engine, number, *pair) for number, pair in enumerate(product(STATES, PLACES))]
        for cell in cells:
            cell.build()
        for cell in cells:
            cell.cover()
        for future in [future for cell in cells for future in cell.pending]:
            future.result()
        clock.now_ms += DAY_MS
        yield clock, cells
        assert problems(engine) == []
