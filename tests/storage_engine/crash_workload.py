"""Threads that change a store until it stops, and what may be found of it afterwards.

Of each key all outcomes are known that a reader may meet: one, when everything done to it was
answered; two while an answer is missing. Every object carries the number of the act that made it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from storage_engine import Busy, CompactionOptions, EngineError, NoSuchKey, ObjectRef
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    noise,
    problems,
    put_multipart,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_engine import ObjectAttributes, StorageEngine

KEYS = ("a", "b", "dir/a", "dir/b", "x" * 405, "dir/deep/er")
SIZES = (0, 10, 900, 3000, 5000, 70 * KIB)
CONTENTS = 12
BURST = 25
TOPIC = "users"

Found = tuple[bytes, "ObjectAttributes"] | None


class Interrupted(Exception):  # noqa: N818  # what ends a thread's work, no error
    """The store stopped: what became of the last act is not known."""


@dataclass
class Ledger:
    """What may be found under each key, and how much was answered. Shared by threads and rounds."""

    possible: dict[str, list[Found]] = field(default_factory=dict)
    acts: int = 0
    answered: int = 0
    generation: int = 0  # the largest that was answered
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_act(self) -> int:
        """Number an act."""
        with self.lock:
            self.acts += 1
            return self.acts

    @contextmanager
    def act(self, changes: dict[str, Found]) -> Iterator[None]:
        """Carry out one act: it may show from now on, and alone once it was answered."""
        with self.lock:
            for key, found in changes.items():
                self.possible.setdefault(key, [None]).append(found)
        try:
            yield
        except Busy:
            raise
        except (EngineError, OSError) as error:
            raise Interrupted from error
        with self.lock:
            self.answered += len(changes)
            for key, found in changes.items():
                self.possible[key] = [found]

    def check(self, engine: StorageEngine) -> None:
        """Compare a store with what may be found in it; what is found is sure from then on."""
        assert problems(engine) == []
        there = 0
        for key, possible in self.possible.items():
            found = look(engine, key)
            assert found in possible, (
                f"{key[:20]}: {_tell(found)}, not {list(map(_tell, possible))}"
            )
            self.possible[key] = [found]
            there += found is not None
        assert engine.namespace_counts(BUCKET).objects == there
        generation = engine.generations().get(TOPIC, 0)
        assert generation >= self.generation
        self.generation = generation


def look(engine: StorageEngine, key: str) -> Found:
    """Return what is under a key."""
    try:
        with engine.open_object(BUCKET, key) as reader:
            return reader.read(0, reader.info.size), reader.info.attributes
    except NoSuchKey:
        return None


def _tell(found: Found) -> str:
    return "nothing" if found is None else f"act {found[1].headers.get('act')}"


class Worker:
    """One thread's acts, on keys of its own."""

    def __init__(self, engine: StorageEngine, ledger: Ledger, name: str, random: Random) -> None:
        self.engine = engine
        self.ledger = ledger
        self.name = name
        self.random = random

    def run(self, acts: int) -> None:
        """Act so many times, or until the store stops."""
        kinds = (self.put, self.put, self.post, self.burst, self.multipart, self.delete)
        kinds += (self.copy, self.bump, self.reclaim, self.abandon, self.snapshot, self.compact)
        try:
            for _ in range(acts):
                self.random.choice(kinds)()
        except Interrupted:
            return

    def key(self) -> str:
        """Choose a key."""
        return f"{self.name}/{self.random.choice(KEYS)}"

    def make(self) -> tuple[bytes, ObjectAttributes]:
        """Make an object that differs from every other, though its bytes may not."""
        number = self.ledger.next_act()
        data = noise(self.random.choice(SIZES), self.random.randrange(CONTENTS))
        return data, attributes(data, act=f"{number}")

    def put(self) -> None:
        """Put or overwrite."""
        key, (data, kept) = self.key(), self.make()
        with self.ledger.act({key: (data, kept)}):
            self.engine.put_object(BUCKET, key, self.engine.stage_bytes(data), kept).result()

    def post(self) -> None:
        """Put a payload that turns out to be shorter than its bound; the next may follow it."""
        key, (data, kept) = self.key(), self.make()
        with self.ledger.act({key: (data, kept)}):
            with self.engine.begin_blob(len(data) + 100 * KIB, is_bound=True) as writer:
                writer.write(data)
                blob = writer.finish()
            self.engine.put_object(BUCKET, key, blob, kept).result()

    def burst(self) -> None:
        """Put many at once, which share a frame, perhaps one longer than a segment."""
        made = {f"{self.name}/burst/{n}": self.make() for n in range(BURST)}
        with self.ledger.act(dict(made)):
            futures = [
                self.engine.put_object(BUCKET, key, self.engine.stage_bytes(data), kept)
                for key, (data, kept) in made.items()
            ]
            for future in futures:
                future.result()

    def multipart(self) -> None:
        """Upload in parts."""
        key, (data, _) = self.key(), self.make()
        whole = data + data[:99]
        with self.ledger.act({key: (whole, attributes(whole))}):
            put_multipart(self.engine, key, [data, data[:99]])

    def delete(self) -> None:
        """Delete what may be there."""
        key = self.key()
        with self.ledger.act({key: None}):
            self.engine.delete_object(BUCKET, key).result()

    def copy(self) -> None:
        """Copy onto another key."""
        source, target = self.key(), self.key()
        found, *others = self.ledger.possible.get(source, [None])
        if found is not None and not others:
            with self.ledger.act({target: found}):
                self.engine.copy_object(
                    ObjectRef(BUCKET, source), ObjectRef(BUCKET, target), lambda it: it.attributes
                ).result()

    def bump(self) -> None:
        """Raise a counter that all threads share."""
        with self.ledger.act({}):
            total = self.engine.bump_generation(TOPIC)
        with self.ledger.lock:
            self.ledger.generation = max(self.ledger.generation, total)
            self.ledger.answered += 1

    def reclaim(self) -> None:
        """Tidy as if a year had passed."""
        with self.ledger.act({}):
            self.engine.reclaim(10**15)

    def snapshot(self) -> None:
        """Copy the index, unless somebody else is at it."""
        with suppress(Busy), self.ledger.act({}):
            self.engine.snapshot()

    def compact(self) -> None:
        """Move what lives out of volumes, unless somebody else is at it."""
        with suppress(Busy), self.ledger.act({}):
            self.engine.compact(CompactionOptions(threshold=0.1))

    def abandon(self) -> None:
        """Stage what becomes no object."""
        data, _ = self.make()
        with self.ledger.act({}):
            self.engine.discard(self.engine.stage_bytes(data))
            with self.engine.begin_blob(200 * KIB) as writer:
                writer.write(data)


def run_workers(
    engine: StorageEngine, ledger: Ledger, names: list[str], random: Random, acts: int
) -> None:
    """Let several threads act at once; return when all have ended."""
    threads = [
        threading.Thread(
            target=Worker(engine, ledger, name, Random(random.random())).run,  # noqa: S311
            args=(acts,),
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
