"""What a request carries through the rooms, and what all requests of a worker share.

`Call` is one request on its way; `Store` is the worker's engine, settings, snapshots and doors to
threads. Knows no operation and no SQL: control plane and notes are given as plain callables.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from buckets.configuration import AS_NEW
from iam.acl import ANONYMOUS_ID
from iam.audit.acting import Actor, Via
from s3api.errors import S3Error
from s3api.home import Home
from s3api.http.percent import encode_name
from s3api.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from buckets.configuration import BucketConfiguration
    from buckets.registry import BucketState, Registry
    from iam.keyring import Keyring, Principal
    from s3api.auth import Identity
    from s3api.decision import OpenDecision
    from s3api.http.form import Form
    from s3api.http.request import Request
    from s3api.http.target import Target
    from s3api.protocol import Operation
    from s3api.rates import Rates
    from storage_engine import (
        Future,
        ObjectInfo,
        ObjectReader,
        RetentionPeriod,
        StorageEngine,
        Versioning,
    )

Result = TypeVar("Result")

READING_SECONDS: Final = 5.0  # how long requests wait for SQL to be read
LOOK_SECONDS: Final = 1.0  # between two looks whether SQL answers again
WORK_SECONDS: Final = 30.0  # how long a request waits for a change of SQL: longer than SQL itself
RETRY: Final = {"Retry-After": "5"}


class Reading(NamedTuple):
    """What SQL has. `is_settled`: with every change that was announced before it was read."""

    keyring: Keyring
    registry: Registry
    is_settled: bool


class ControlPlane(Protocol):
    """The SQL side: synchronous calls, each made in a thread, durable when they return."""

    def read(self) -> Reading:
        """Read what changed since the last reading, of users, keys and buckets."""

    def find_bucket(self, name: str) -> BucketState | None:
        """Read one bucket."""

    def create_bucket(
        self, name: str, owner_canonical_id: str, region: str, configuration: BucketConfiguration
    ) -> BucketState:
        """Make a bucket; a refusal is an S3Error."""

    def configure_bucket(self, bucket: BucketState, **changes: Any) -> None:
        """Set fields of a bucket's configuration, by name; a refusal is an S3Error."""

    def delete_bucket(self, bucket: BucketState) -> None:
        """Delete an empty bucket, and no later one of its name; a refusal is an S3Error."""


class Notes(Protocol):
    """What is written down beside the requests: each call leaves a note and never waits."""

    def note_use(self, access_key: str, now_ms: int) -> None:
        """Note that a request was signed with a key, and rightly so."""


@dataclass(frozen=True, slots=True)
class S3Config:
    """The settings the S3 side obeys; sizes in bytes."""

    region: str = "us-east-1"
    domains: str | None = None  # separated by commas
    object_bytes_max: int = 5 * 1024**3
    new_bucket: BucketConfiguration = AS_NEW  # what is not said when a bucket is made
    signature_v2: bool = False
    threads: int = 32
    requests_max: int = 1024  # at a time; more are refused with SlowDown


class Snapshots:
    """The keyring and the bucket registry, as of the newest generation.

    One integer is compared per request; only when it moved are the snapshots read again. The
    generation is noted before the reading, so a change made meanwhile is seen next time; it is not
    noted while the writer of a change is still at it, dead or alive: then the next request reads
    again.

    While SQL does not answer, requests go on by what was read last: unless they would miss a change
    that somebody was told is done. Only the first of them wait; then one look a second is made
    beside them.
    """

    keyring: Keyring
    registry: Registry

    def __init__(self, engine: StorageEngine, control: ControlPlane) -> None:
        self._engine = engine
        self._control = control
        self._total = -1
        self._lock = asyncio.Lock()
        self._begun = self._done = 0  # numbers of the last readings
        self._is_troubled = False  # the last reading failed, or takes too long
        self._is_asked = False  # another look is on its way
        self._look_at = 0.0

    @property
    def are_read(self) -> bool:
        """Whether anybody is known at all, as of whichever moment."""
        return hasattr(self, "registry")

    @property
    def is_current(self) -> bool:
        """Whether nothing changed since the snapshots were read."""
        return self._engine.generation() == self._total

    @property
    def _needs_reading(self) -> bool:
        return not self._is_troubled and not self.is_current

    async def refresh(self, door: ThreadPoolExecutor) -> None:
        """Read again what changed; concurrent callers share one reading.

        One that began after they came is good for all of them, though the next request may have to
        read again: while a writer takes long, requests do not queue up for a reading each.
        """
        if not self._is_troubled:
            came = self._begun
            async with self._lock:
                if self._needs_reading and self._done <= came:
                    self._begun = number = self._begun + 1
                    await self._wait_for_reading(door)
                    self._done = number
        if self._is_troubled:
            self._look_again(door)
            self._make_do()

    async def _wait_for_reading(self, door: ThreadPoolExecutor) -> None:
        """Read, and leave a reading that takes too long to its thread."""
        reading = asyncio.get_running_loop().run_in_executor(
            door, copy_context().run, self._try_to_read
        )
        await asyncio.wait({reading}, timeout=READING_SECONDS)
        if reading.done():
            reading.result()
        else:
            self._is_troubled = not self.is_current

    def _look_again(self, door: ThreadPoolExecutor) -> None:
        """Read beside the requests, when it is time."""
        if not self._is_asked and time.monotonic() >= self._look_at:
            self._is_asked = True
            door.submit(self._try_to_read)

    def _make_do(self) -> None:
        """Refuse the request unless what was read last is all that anybody may rely on."""
        if self._total < 0 or self._engine.confirmed_generation() > self._total:
            raise S3Error("ServiceUnavailable", headers=RETRY)

    def _try_to_read(self) -> None:
        try:
            self._read()
        except S3Error:  # the control plane's word for a database that does not answer
            self._is_troubled = True
        else:
            self._is_troubled = False
        finally:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._is_asked = False

    def _read(self) -> None:
        total = self._engine.generation()
        self.keyring, self.registry, is_settled = self._control.read()
        if is_settled:
            self._total = total


class Store:
    """What every request of this worker shares."""

    def __init__(
        self,
        engine: StorageEngine,
        control: ControlPlane,
        notes: Notes,
        config: S3Config,
        rates: Rates,
    ) -> None:
        self.engine = engine
        self.control = control
        self.notes = notes
        self.config = config
        self.rates = rates
        self.turns = Turns()
        self.snapshots = Snapshots(engine, control)
        self._disk = ThreadPoolExecutor(config.threads, thread_name_prefix="disk")
        self._sql = ThreadPoolExecutor(2, thread_name_prefix="sql")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="snapshots")  # behind no writer
        self.in_flight = 0  # requests that are being served
        self._home: Home | None = None  # where mutations are waited for

    @property
    def is_overfull(self) -> bool:
        """Whether more requests are being served than may be, but those that are only held."""
        return self.in_flight - self.turns.held > self.config.requests_max

    async def on_disk(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a blocking call of the engine in a thread, which knows for which request."""
        known = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(
            self._disk, known, function, *arguments
        )

    async def undo(self, function: Callable[..., object], *arguments: Any) -> None:
        """Give back, in a thread, what a request took, though it is cancelled again meanwhile.

        Where no thread begins now, one that is there comes to it, or the store is closed.
        """
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(self._disk, function, *arguments)
        except RuntimeError:
            return
        await asyncio.shield(work)

    def begin_on_disk(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have a blocking call made in a thread, for nobody in particular."""
        self._disk.submit(function, *arguments)

    async def configure(self, bucket: BucketState, **changes: Any) -> None:
        """Set fields of a bucket's configuration; obeyed by every worker on return."""
        await self.on_sql(partial(self.control.configure_bucket, bucket, **changes))

    async def on_sql(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a call of the control plane in a thread, which knows who acts."""
        known = copy_context().run
        work = asyncio.get_running_loop().run_in_executor(self._sql, known, function, *arguments)
        await asyncio.wait({work}, timeout=WORK_SECONDS)
        if work.done():
            return work.result()
        work.add_done_callback(_hear)
        raise S3Error("ServiceUnavailable", headers=RETRY)

    async def committed(self, future: Future[Result]) -> Result:
        """Wait for a mutation to be durable; it is finished even when the client goes away."""
        home = self._home
        if home is None or not home.is_here():
            home = self._settle_in()
        waiter = home.loop.create_future()
        if future.tell(home.tell, waiter):
            home.waiting += 1
            await waiter
        return future.result()

    def _settle_in(self) -> Home:
        """Have mutations carried out in this loop's thread, and their outcomes told there."""
        self._home = home = Home(asyncio.get_running_loop(), lambda: self.in_flight)
        self.engine.lend(home)
        return home

    async def refresh(self) -> None:
        """Bring the snapshots up to date when a generation moved."""
        if not self.snapshots.is_current:
            await self.snapshots.refresh(self._reading)

    async def follow(self) -> None:
        """Bring the snapshots up to date beside the requests, once a second.

        So that a worker which nobody asked anything knows what there was when SQL goes away.
        """
        seen = -1
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # Whatever is wrong, requests meet it too, and it is told there.
            (found,) = await asyncio.gather(self._follow(seen), return_exceptions=True)
            seen = found if isinstance(found, int) else -1

    async def _follow(self, seen: int) -> int:
        """Bring the snapshots up to the last commit; return its number when they are.

        At rest no more is looked at than that: to read a generation is a transaction, which marks a
        page of the index's locks, and the system writes that out.
        """
        commit = self.engine.last_commit()
        if commit != seen:
            await self.refresh()
            return commit if self.snapshots.is_current else -1
        return commit

    def close(self) -> None:
        """Let the threads end."""
        self.engine.lend(None)
        self._home = None
        self._disk.shutdown(wait=True)
        self._sql.shutdown(wait=True)
        self._reading.shutdown(wait=True)


def _hear(work: asyncio.Future[Any]) -> None:
    """Take note of how work ended for which nobody waits any more."""
    if not work.cancelled():
        work.exception()


class Call(msgspec.Struct):
    """One request on its way through the rooms; `arguments` are AWS member names to values."""

    store: Store
    request: Request
    target: Target
    operation: Operation
    identity: Identity
    bucket_or_none: BucketState | None
    arguments: dict[str, Any]
    now_ms: int
    decision: OpenDecision | None = None  # whether it may be done at all, where that is open
    source_bucket: BucketState | None = None  # where the object is that is copied
    source_decision: OpenDecision | None = None  # as `decision`, of that object
    form: Form | None = None  # what a browser posted
    # What decides once more what was allowed, with what it is to be given beside the call: one that
    # held the call would make a circle of it, which only the collector finds.
    decided: tuple[tuple[Callable[..., None], *tuple[Any, ...]], ...] = ()
    request_id: str = ""

    def actor(self) -> Actor:
        """Tell the audit log who asks, with which key and from where."""
        credential = self.identity.credential
        address = self.request.client or ""
        if credential is None:
            return Actor(Via.S3, address=address, request_id=self.request_id)
        who = credential.principal
        return Actor(
            Via.S3,
            who.username,
            who.canonical_id,
            credential.access_key,
            address,
            self.request_id,
        )

    def settle(self, info: ObjectInfo | None) -> None:
        """Refuse the call unless the caller may do this to this object; None: it is not there.

        Every operation on an object that exists calls it, inside the commit where it changes
        something: without it the app refuses to answer.
        """
        if self.decision is not None:
            self.decision.settle(info)

    @property
    def engine(self) -> StorageEngine:
        """The storage engine."""
        return self.store.engine

    @property
    def bucket(self) -> BucketState:
        """The bucket the request names; only for operations that have one."""
        assert self.bucket_or_none is not None, "the operation names no bucket"
        return self.bucket_or_none

    @property
    def versioning(self) -> Versioning:
        """What the bucket does with the version that another takes the place of."""
        return self.bucket.configuration.versioning

    @property
    def default_retention(self) -> RetentionPeriod | None:
        """How long the bucket retains what is made in it, unless its maker says something else."""
        lock = self.bucket.configuration.object_lock
        return None if lock is None else lock.default_period

    async def catch_up(self) -> bool:
        """Take caller and buckets as they are by now: a body may outlast a change of them.

        Returns whether any is another.

        A right that was taken away meanwhile is taken away: what the call was allowed is decided
        again, by S3Error. An object that is there when versions begin to be kept must not go with
        a late body.
        """
        await self.store.refresh()
        is_changed, registry = self._take_credential(), self.store.snapshots.registry
        source = self.source_bucket
        if source is not None:
            is_changed |= registry.find(source.name) is not source
        if self.bucket_or_none is not None:
            bucket = registry.find(self.bucket.name)
            if bucket is not None and bucket.id == self.bucket.id:
                is_changed |= bucket is not self.bucket_or_none
                self.bucket_or_none = bucket
        if is_changed:
            decided, self.decided = self.decided, ()
            for decide, *given in decided:
                decide(self, *given)
        return is_changed

    def _take_credential(self) -> bool:
        """Find the caller's key again and tell whether anything about it or him is new; S3Error.

        One whose time has merely run out since the call began is as it was.
        """
        credential, keyring = self.identity.credential, self.store.snapshots.keyring
        if credential is None or not credential.access_key:
            return False
        if keyring.find(credential.access_key, now_ms=self.now_ms) is credential:
            return False
        found = keyring.find(credential.access_key)
        if found is None or found.principal.canonical_id != credential.principal.canonical_id:
            raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=credential.access_key)
        self.identity = msgspec.structs.replace(self.identity, credential=found)
        return True

    @property
    def key(self) -> str:
        """The key the request names; only for operations that have one."""
        assert self.target.key is not None, "the operation names no key"
        return self.target.key

    @property
    def object_url(self) -> str:
        """The object's URL as S3 writes it: escaped, its slashes too (aws-sdk-js issue 1158)."""
        place = f"{self.request.scheme}://{self.request.header('host')}"
        if not self.target.is_virtual_host:
            place += f"/{self.target.bucket}"
        return f"{place}/{encode_name(self.key)}"

    @property
    def principal(self) -> Principal | None:
        """Who asks; None is anonymous."""
        credential = self.identity.credential
        return credential.principal if credential is not None else None

    @property
    def caller_id(self) -> str:
        """Canonical id of who asks; nobody has one too."""
        principal = self.principal
        return principal.canonical_id if principal is not None else ANONYMOUS_ID


class Piece(msgspec.Struct):
    """`length` bytes of an open object from `offset`, to be streamed as the body."""

    reader: ObjectReader
    offset: int
    length: int


class Answer(msgspec.Struct):
    """What an operation returns: output members, headers kept as stored, and perhaps a body."""

    output: dict[str, Any] = {}
    headers: list[tuple[bytes, bytes]] = []
    piece: Piece | None = None
    status: int | None = None
