"""The engine against a dictionary, through every verb and any number of reopenings."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen, run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage_engine import (
    EngineClosed,
    NamespaceClosed,
    NamespaceCounts,
    NamespaceNotEmpty,
    NoSuchKey,
    ObjectRef,
    Origin,
    PartChanged,
)
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    get,
    noise,
    problems,
    put,
    put_part,
    small_store,
)

if TYPE_CHECKING:
    from storage_engine import ObjectInfo, PartInfo, StorageEngine

BUCKETS = st.sampled_from([1, 2])
KEYS = st.sampled_from(["a", "a/", "a/b", "a//b", "b/c/d", "b/c/e", "x" * 401 + "/y", "z"])
# Few contents, so that many are equal; below and above inline, block and hole sizes.
CONTENTS = st.builds(noise, st.sampled_from([0, 5, 63, 64, 700, 70 * KIB]), st.integers(0, 2))


@dataclass
class ModelUpload:
    """What an open upload should hold."""

    bucket_id: int
    key: str
    parts: dict[int, tuple[bytes, PartInfo]] = field(default_factory=dict)


class Kept(Exception):  # noqa: N818  # a guard's refusal
    """The guard wanted the key to be absent."""


def only_if_absent(current: ObjectInfo | None) -> None:
    """Refuse to overwrite or delete."""
    if current is not None:
        raise Kept


class AgainstDictionary(RuleBasedStateMachine):
    """A store and a dictionary, changed alike; at the end the store must prove itself."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "store"
        self.engine = small_store(self.path)
        self.objects: dict[tuple[int, str], bytes] = {}
        self.uploads: dict[str, ModelUpload] = {}
        self.closed: set[int] = set()

    def teardown(self) -> None:
        """Verify, then remove the store."""
        found = problems(self.engine)
        self.engine.close()
        self.directory.cleanup()
        assert found == []

    @rule(bucket_id=BUCKETS, key=KEYS, data=CONTENTS)
    def put(self, bucket_id: int, key: str, data: bytes) -> None:
        """Put or overwrite."""
        if bucket_id in self.closed:
            with pytest.raises(NamespaceClosed):
                put(self.engine, key, data, bucket_id=bucket_id)
            return
        put(self.engine, key, data, bucket_id=bucket_id)
        self.objects[bucket_id, key] = data

    @precondition(lambda self: not self.closed)
    @rule(bucket_id=BUCKETS, key=KEYS, data=CONTENTS)
    def put_if_absent(self, bucket_id: int, key: str, data: bytes) -> None:
        """Put under a condition."""
        if (bucket_id, key) in self.objects:
            with pytest.raises(Kept):
                put(self.engine, key, data, bucket_id=bucket_id, guard=only_if_absent)
        else:
            put(self.engine, key, data, bucket_id=bucket_id, guard=only_if_absent)
            self.objects[bucket_id, key] = data

    @rule(bucket_id=BUCKETS, key=KEYS, data=CONTENTS, size=st.integers(0, 80 * KIB))
    def abandon(self, bucket_id: int, key: str, data: bytes, size: int) -> None:
        """Stage something that never becomes an object."""
        self.engine.discard(self.engine.stage_bytes(data))
        with self.engine.begin_blob(size, Origin(bucket_id, key, attributes())) as writer:
            writer.write(bytes(size // 2))

    @precondition(lambda self: not self.closed)
    @rule(bucket_id=BUCKETS, key=KEYS)
    def delete(self, bucket_id: int, key: str) -> None:
        """Delete what may be there."""
        gone = self.engine.delete_object(bucket_id, key).result()
        expected = self.objects.pop((bucket_id, key), None)
        assert (None if gone is None else gone.size) == (
            None if expected is None else len(expected)
        )

    @precondition(lambda self: not self.closed)
    @rule(bucket_id=BUCKETS, keys=st.lists(KEYS, max_size=4))
    def delete_many(self, bucket_id: int, keys: list[str]) -> None:
        """Delete several at once."""
        outcomes = self.engine.delete_objects(bucket_id, [(key, None) for key in keys]).result()
        expected = [self.objects.pop((bucket_id, key), None) for key in keys]
        assert [gone is None for gone in outcomes] == [data is None for data in expected]

    @precondition(lambda self: not self.closed)
    @rule(source=st.tuples(BUCKETS, KEYS), copied=st.tuples(BUCKETS, KEYS))
    def copy(self, source: tuple[int, str], copied: tuple[int, str]) -> None:
        """Copy, perhaps onto itself."""
        future = self.engine.copy_object(
            ObjectRef(*source), ObjectRef(*copied), lambda info: info.attributes
        )
        if source in self.objects:
            assert future.result().size == len(self.objects[source])
            self.objects[copied] = self.objects[source]
        else:
            with pytest.raises(NoSuchKey):
                future.result()

    @precondition(lambda self: not self.closed)
    @rule(bucket_id=BUCKETS, key=KEYS)
    def begin_upload(self, bucket_id: int, key: str) -> None:
        """Begin a multipart upload."""
        made = self.engine.create_upload(bucket_id, key, attributes()).result()
        self.uploads[made.upload_id] = ModelUpload(bucket_id, key)

    def choose(self, data: st.DataObject) -> tuple[str, ModelUpload]:
        """Draw one of the open uploads."""
        upload_id = data.draw(st.sampled_from(sorted(self.uploads)))
        return upload_id, self.uploads[upload_id]

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=st.integers(1, 4), content=CONTENTS)
    def put_part(self, data: st.DataObject, number: int, content: bytes) -> None:
        """Put a part, or put it again."""
        upload_id, upload = self.choose(data)
        blob = self.engine.stage_bytes(content)
        part = self.engine.put_part(
            upload.bucket_id, upload.key, upload_id, number, blob, "etag", {}
        ).result()
        upload.parts[number] = (content, part)

    @precondition(lambda self: any(upload.parts for upload in self.uploads.values()))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        """Complete an upload with some of its parts."""
        upload_id, upload = self.choose(data)
        if not upload.parts:
            return
        chosen = sorted(data.draw(st.sets(st.sampled_from(sorted(upload.parts)), min_size=1)))
        made = self.engine.complete_upload(
            upload.bucket_id,
            upload.key,
            upload_id,
            [upload.parts[number][1] for number in chosen],
            attributes(),
        ).result()
        assert made.part_count == len(chosen)
        whole = b"".join(upload.parts[number][0] for number in chosen)
        self.objects[upload.bucket_id, upload.key] = whole
        del self.uploads[upload_id]

    @precondition(lambda self: any(upload.parts for upload in self.uploads.values()))
    @rule(data=st.data())
    def complete_with_an_old_part(self, data: st.DataObject) -> None:
        """Cite a part that was replaced."""
        upload_id, upload = self.choose(data)
        for number, (content, part) in list(upload.parts.items())[:1]:
            blob = self.engine.stage_bytes(content)
            target = (upload.bucket_id, upload.key, upload_id)
            newer = self.engine.put_part(*target, number, blob, "newer", {}).result()
            upload.parts[number] = (content, newer)
            with pytest.raises(PartChanged):
                self.engine.complete_upload(*target, [part], attributes()).result()

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """Abort an upload."""
        upload_id, upload = self.choose(data)
        self.engine.abort_upload(upload.bucket_id, upload.key, upload_id).result()
        del self.uploads[upload_id]

    @rule(bucket_id=BUCKETS)
    def close_namespace(self, bucket_id: int) -> None:
        """Close a namespace, if it is empty."""
        if any(found == bucket_id for found, _ in self.objects):
            with pytest.raises(NamespaceNotEmpty):
                self.engine.close_namespace(bucket_id).result()
            return
        self.engine.close_namespace(bucket_id).result()
        self.closed.add(bucket_id)
        self.uploads = {
            upload_id: upload
            for upload_id, upload in self.uploads.items()
            if upload.bucket_id != bucket_id
        }

    @rule(is_late=st.booleans())
    def reclaim(self, *, is_late: bool) -> None:
        """Tidy, now or as if much time had passed."""
        self.engine.reclaim(10**15 if is_late else None)

    @rule()
    def reopen(self) -> None:
        """Close the store and open it again."""
        self.engine.close()
        self.engine = small_store(self.path)

    @rule(bucket_id=BUCKETS, key=KEYS)
    def read(self, bucket_id: int, key: str) -> None:
        """Read what should be there."""
        if (bucket_id, key) in self.objects:
            assert get(self.engine, key, bucket_id=bucket_id) == self.objects[bucket_id, key]
        else:
            with pytest.raises(NoSuchKey):
                get(self.engine, key, bucket_id=bucket_id)

    @invariant()
    def agrees(self) -> None:
        """Totals and listings are what the dictionary says."""
        for bucket_id in (1, 2):
            held = {key: data for (found, key), data in self.objects.items() if found == bucket_id}
            uploads = [u for u in self.uploads.values() if u.bucket_id == bucket_id]
            assert self.engine.namespace_counts(bucket_id) == NamespaceCounts(
                len(held),
                sum(map(len, held.values())),
                len(uploads),
                sum(len(data) for upload in uploads for data, _ in upload.parts.values()),
                versions=len(held),
                parts=sum(len(upload.parts) for upload in uploads),
            )
            listed = self.engine.list_objects(bucket_id).objects
            assert [(info.key, info.size) for info in listed] == [
                (key, len(held[key])) for key in sorted(held, key=str.encode)
            ]
            shown = self.engine.list_uploads(bucket_id).uploads
            assert sorted(u.upload_id for u in shown) == sorted(
                upload_id for upload_id, u in self.uploads.items() if u.bucket_id == bucket_id
            )


TestAgainstDictionary = AgainstDictionary.TestCase
# Each step syncs the disk: a quarter as many runs as other properties get.
TestAgainstDictionary.settings = settings(max_examples=settings().max_examples // 4)


def test_many_threads_share_an_engine(engine: StorageEngine) -> None:
    """Threads that put, read, overwrite and delete keys of their own never meet each other."""
    wrong: list[object] = []

    def work(name: str) -> None:
        try:
            for n in range(15):
                data = noise(n * 137, n)
                put(engine, f"{name}/{n % 3}", data)
                if get(engine, f"{name}/{n % 3}") != data:
                    wrong.append((name, n))
                if n % 5 == 4:
                    engine.delete_object(BUCKET, f"{name}/{n % 3}").result()
        except Exception as error:  # noqa: BLE001  # any error at all is the failure
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert engine.namespace_counts(BUCKET).objects == 12 * 2


def test_a_forked_child_inherits_nothing_it_could_harm(tmp_path: Path) -> None:
    """A child can neither use its parent's store nor open it, and its end harms no reader."""
    path = str(tmp_path / "store")
    done = run([sys.executable, "-c", FORKER, path], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["EngineClosed"] * 3 + ["same", "fine"]


FORKER = """
import gc, os, sys
from pathlib import Path
from storage_engine import EngineClosed
from tests.storage_engine.engine_steps import get, noise, problems, put, small_store

def attempt(act):
    try:
        act()
        print("done", flush=True)
    except EngineClosed:
        print("EngineClosed", flush=True)

path = Path(sys.argv[1])
engine = small_store(path)
put(engine, "k", noise(1000))
long_read = engine._index._env.begin()
readers = engine._index._env.readers()
if not os.fork():
    attempt(lambda: engine.head_object(1, "k"))
    attempt(lambda: engine.delete_object(1, "k").result())
    attempt(lambda: small_store(path))
    engine.close()
    del engine, long_read
    gc.collect()
    sys.exit()
os.wait()
print("same" if engine._index._env.readers() == readers else "lost", flush=True)
put(engine, "k", noise(1000, 2))
assert get(engine, "k") == noise(1000, 2)
assert problems(engine) == []
long_read.abort()
engine.close()
with small_store(path) as again:
    print("fine" if get(again, "k") == noise(1000, 2) else "wrong")
"""


def test_a_child_does_not_keep_what_its_dead_parent_read(tmp_path: Path) -> None:
    """The room of a blob that was read comes back when the reader dies, whatever it forked."""
    path = tmp_path / "store"
    command = [sys.executable, "-c", ORPHAN, str(path)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.wait(30) == 37
        assert process.stdin is not None
        assert process.stdout is not None
        with small_store(path) as engine:
            engine.delete_object(BUCKET, "k").result()
            assert engine.reclaim(10**15)["punched_bytes"] > 0
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.read() == "alive"


ORPHAN = """
import os, sys
from pathlib import Path
from storage_engine.limits import PUNCH_BYTES_MIN
from tests.storage_engine.engine_steps import noise, put, small_store
engine = small_store(Path(sys.argv[1]), volume_bytes_max=1 << 30)
put(engine, "k", noise(PUNCH_BYTES_MIN))
put(engine, "other", noise(1000))
reader = engine.open_object(1, "k")
if os.fork():
    os._exit(37)
sys.stdin.readline()
sys.stdout.write("alive")
"""


def test_a_store_is_open_once_in_a_process(engine: StorageEngine, tmp_path: Path) -> None:
    """Opening the same directory again is refused, and the first opening goes on working."""
    put(engine, "k", b"x")
    with pytest.raises(EngineClosed, match="open in this process"):
        small_store(tmp_path / "store")
    assert get(engine, "k") == b"x"


def test_an_upload_and_its_parts_survive_a_restart(tmp_path: Path) -> None:
    """An open upload is continued by the next process."""
    with small_store(tmp_path / "store") as engine:
        upload_id = engine.create_upload(BUCKET, "k", attributes()).result().upload_id
        put_part(engine, "k", upload_id, 1, noise(5000))
    with small_store(tmp_path / "store") as engine:
        put_part(engine, "k", upload_id, 2, b"tail")
        parts = engine.list_parts(BUCKET, "k", upload_id).parts
        engine.complete_upload(BUCKET, "k", upload_id, parts, attributes()).result()
        assert get(engine, "k") == noise(5000) + b"tail"
        assert problems(engine) == []
