"""Random histories under random rules: what is foretold is done, that alone, and nothing is left.

What is due is worked out anew from listings, the slow and obvious way, and compared with what
going through the bucket tells and with what the run, which goes through nothing, then does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage_engine import (
    DAY_MS,
    EngineError,
    LifecycleOptions,
    LifecycleRule,
    LockMode,
    Versioning,
    lifecycle_deeds,
    lifecycle_looks,
)
from tests.storage_engine.engine_steps import BUCKET, attributes, problems, put_part
from tests.storage_engine.lifecycle_model import (
    NEW_MARKER,
    Deed,
    Verdict,
    judge,
    judge_uploads,
    midnight,
)
from tests.storage_engine.lifecycle_steps import START_MS, Governed, open_store

if TYPE_CHECKING:
    from storage_engine import ObjectInfo, UploadInfo

LONG = bool(os.environ.get("S4_TEST_LONG"))
KEYS = st.sampled_from(["t/a", "t/a", "t/x/c", "z"])
PREFIXES = st.sampled_from(["", "", "", "t/", "t/x", "z"])
TAGS = st.sampled_from([{}, {"k": "1"}, {"k": "1", "x": "y"}])
SIZES = st.sampled_from([0, 5, 100])
NEVER_OR = st.sampled_from([0, 1, 2, 4])
HOUR_MS = DAY_MS // 24

RULES = st.builds(
    LifecycleRule,
    id=st.just("?"),
    is_enabled=st.sampled_from([True] * 6 + [False]),
    prefix=PREFIXES,
    tags=st.sampled_from([{}, {}, {}, {"k": "1"}]),
    size_above=st.sampled_from([None] * 5 + [5]),
    size_below=st.sampled_from([None] * 5 + [100]),
    expire_days=NEVER_OR,
    expire_at_ms=st.sampled_from([0, 0, 0, midnight(START_MS) + 3 * DAY_MS]),
    expires_markers=st.booleans(),
    noncurrent_days=NEVER_OR,
    noncurrent_kept=st.integers(0, 2),
    abort_days=NEVER_OR,
)


class Histories(RuleBasedStateMachine):
    """A bucket under rules, and any sequence of what may happen in it."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp())
        self.store = Governed(self.path / "store")
        self.store.versioning = Versioning.UNVERSIONED
        self.rules: list[LifecycleRule] = []
        self.names = count()

    def teardown(self) -> None:
        """Verify all, then remove it."""
        with self.store.engine as engine:
            assert problems(engine) == []
        shutil.rmtree(self.path)

    # --- what happens ---------------------------------------------------------------------------

    @initialize(
        rules=st.lists(RULES, min_size=1, max_size=3),
        is_versioned=st.sampled_from([True, True, False]),
        first=st.lists(st.tuples(KEYS, TAGS), min_size=2, max_size=6),
    )
    def begin(
        self,
        rules: list[LifecycleRule],
        is_versioned: bool,
        first: list[tuple[str, dict[str, str]]],
    ) -> None:
        """Begin with some rules and some versions."""
        self.change_rules(rules)
        self.store.put(first[0][0])
        if is_versioned:
            self.store.versioning = Versioning.ENABLED
        for key, tags in first:
            self.store.put(key, 10, tags)

    @rule(rules=st.lists(RULES, max_size=2))
    def change_rules(self, rules: list[LifecycleRule]) -> None:
        """Put other rules into force, or none."""
        self.rules = [
            msgspec.structs.replace(each, id=f"rule {next(self.names)}") for each in rules
        ]
        self.store.set_rules(*self.rules)

    @rule(is_on=st.booleans())
    def change_versioning(self, is_on: bool) -> None:
        """Enable or suspend versioning; what never had it stays so when it is suspended."""
        if is_on:
            self.store.versioning = Versioning.ENABLED
        elif self.store.versioning is Versioning.ENABLED:
            self.store.versioning = Versioning.SUSPENDED

    @rule(
        kind=st.sampled_from(["hour", "before midnight", "midnight", "midnight", "day", "days"]),
        is_run=st.booleans(),
    )
    def pass_time(self, kind: str, is_run: bool) -> None:
        """Let time go by, and perhaps do what is due then."""
        clock = self.store.clock
        next_ms = midnight(clock.now_ms)
        clock.now_ms = {
            "hour": clock.now_ms + HOUR_MS,
            "before midnight": next_ms - 1,
            "midnight": next_ms,
            "day": clock.now_ms + DAY_MS,
            "days": clock.now_ms + 3 * DAY_MS,
        }[kind]
        if is_run:
            self.run(is_sliced=kind == "midnight")

    @rule(key=KEYS, size=SIZES, tags=TAGS, times=st.integers(1, 3))
    def put(self, key: str, size: int, tags: dict[str, str], times: int) -> None:
        """Put an object, perhaps several times in a row."""
        for _ in range(times):
            with suppress(EngineError):
                self.store.put(key, size, tags)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Delete a key."""
        with suppress(EngineError):
            self.store.delete(key)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Remove some version for good."""
        for info in self.some_version(data):
            with suppress(EngineError):
                self.store.remove(info.key, info.version_id)

    @rule(data=st.data(), tags=TAGS)
    def tag(self, data: st.DataObject, tags: dict[str, str]) -> None:
        """Give some version other tags."""
        for info in self.some_version(data):
            with suppress(EngineError):
                self.store.tag(info.key, info.version_id, **tags)

    @rule(data=st.data(), days=st.sampled_from([0, 0, 1, 3]), has_hold=st.booleans())
    def lock(self, data: st.DataObject, days: int, has_hold: bool) -> None:
        """Lay a lock on some version, or take a hold off."""
        until_ms = self.store.clock.now_ms + days * DAY_MS
        mode = LockMode.COMPLIANCE if days else LockMode.NONE
        for info in self.some_version(data):
            with suppress(EngineError):
                self.store.engine.set_lock(
                    BUCKET,
                    info.key,
                    info.version_id,
                    lambda old: old.lock._replace(
                        mode=mode, retain_until_ms=until_ms if days else 0, has_hold=has_hold
                    ),
                ).result()

    @rule(source=KEYS, new=KEYS)
    def rename(self, source: str, new: str) -> None:
        """Give a key another name, over what is there."""
        with suppress(EngineError):
            self.store.engine.rename_object(BUCKET, source, new, replace=True).result()

    @rule(names=st.sampled_from([("t/", "u/"), ("u/", "t/"), ("t/x/", "z/"), ("z/", "t/x/")]))
    def rename_prefix(self, names: tuple[str, str]) -> None:
        """Give everything below a prefix another."""
        with suppress(EngineError):
            self.store.engine.rename_prefix(BUCKET, *names, replace=True).result()

    @rule(key=KEYS)
    def upload(self, key: str) -> None:
        """Begin an upload and put a part."""
        upload = self.store.engine.create_upload(BUCKET, key, attributes()).result()
        put_part(self.store.engine, key, upload.upload_id, 1, b"part")

    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        """Complete an upload."""
        uploads = self.uploads()
        if uploads:
            upload = data.draw(st.sampled_from(uploads))
            parts = self.store.engine.list_parts(BUCKET, upload.key, upload.upload_id).parts
            with suppress(EngineError):
                self.store.engine.complete_upload(
                    BUCKET,
                    upload.key,
                    upload.upload_id,
                    parts,
                    attributes(),
                    versioning=self.store.versioning,
                ).result()

    @rule()
    def reopen(self) -> None:
        """Close the store and open it again."""
        self.store.engine.close()
        self.store.engine = open_store(self.path / "store", self.store.clock)

    # --- what lifecycle does --------------------------------------------------------------------

    @rule(is_sliced=st.booleans())
    def run(self, is_sliced: bool) -> None:
        """Do what is due, in one go or in slices: what was foretold, and nothing else."""
        engine, before = self.store.engine, self.versions()
        verdicts = self.verdicts()
        due = [deed for verdict in verdicts.values() for deed in verdict.deeds]
        foretold = self.store.preview()
        told = [Deed(d.rule_id, d.action.value, d.key, d.id) for d in foretold if not d.is_kept]
        assert sorted(told) == sorted(due)
        bytes_ = sum(deed.size for deed in foretold if not deed.is_kept)
        held = engine.namespace_counts(BUCKET)
        counted = self.run_sliced() if is_sliced else self.store.run_counted()
        assert counted == Counter(deed.action for deed in due)
        self.check_left(before, verdicts)
        now = engine.namespace_counts(BUCKET)
        assert held.bytes + held.upload_bytes - now.bytes - now.upload_bytes == bytes_
        assert [deed for deed in self.store.preview() if not deed.is_kept] == []

    def run_sliced(self) -> dict[str, int]:
        """Run in slices of one commit each."""
        done: Counter[str] = Counter()
        is_complete = False
        while not is_complete:
            turns = iter([False])
            report = self.store.engine.run_lifecycle(
                LifecycleOptions(
                    self.store.bucket, is_slice_over=lambda turns=turns: next(turns, True)
                )
            )
            done.update({action.value: number for action, number in report.deeds.items()})
            is_complete = report.is_complete
        return dict(done)

    def check_left(self, before: dict[str, list[ObjectInfo]], verdicts: dict[str, Verdict]) -> None:
        """Every version that was not due is there as it was, and nothing has come but markers."""
        after = self.versions()
        for key, versions in before.items():
            known = {(info.version_id, info.modified_ms) for info in versions}
            shown = [
                info.version_id if (info.version_id, info.modified_ms) in known else NEW_MARKER
                for info in after.pop(key, [])
            ]
            assert shown == verdicts[key].left
        assert after == {}
        uploads = [upload.upload_id for upload in self.uploads()]
        left = [id_ for name, verdict in verdicts.items() if name[0] == "+" for id_ in verdict.left]
        assert sorted(uploads) == sorted(left)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """After every step, whatever will fall due has a look, or a scan will come to it."""
        engine = self.store.engine
        assert engine._index.view(engine._care.verification._check_lifecycle) == []

    # --- within ---------------------------------------------------------------------------------

    def versions(self) -> dict[str, list[ObjectInfo]]:
        """Return the versions of each key."""
        found: dict[str, list[ObjectInfo]] = {}
        for info in self.store.engine.list_versions(BUCKET).versions:
            found.setdefault(info.key, []).append(info)
        return found

    def uploads(self) -> list[UploadInfo]:
        """Return the open uploads."""
        return self.store.engine.list_uploads(BUCKET).uploads

    def some_version(self, data: st.DataObject) -> list[ObjectInfo]:
        """Choose a version, if there is any."""
        found = self.store.engine.list_versions(BUCKET).versions
        return [data.draw(st.sampled_from(found))] if found else []

    def verdicts(self) -> dict[str, Verdict]:
        """Work out what is due of each key; of uploads, under the key with a plus."""
        now_ms, uploads = self.store.clock.now_ms, self.uploads()
        found = {
            key: judge(self.rules, versions, now_ms, self.store.versioning)
            for key, versions in self.versions().items()
        }
        for key in {upload.key for upload in uploads}:
            of_key = [upload for upload in uploads if upload.key == key]
            found["+" + key] = judge_uploads(self.rules, of_key, now_ms)
        return found


class TightHistories(Histories):
    """The same with so small commits that hardly a key is done with in one."""

    def __init__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(lifecycle_deeds, "LIFECYCLE_VERSIONS_MAX", 2)
        self.patch.setattr(lifecycle_looks, "LIFECYCLE_LOOK_AHEAD", 1)
        self.patch.setattr(lifecycle_deeds, "HOUSEKEEPING_BATCH", 2)
        super().__init__()

    def teardown(self) -> None:
        """Take the bounds back."""
        super().teardown()
        self.patch.undo()


SETTINGS = settings(
    max_examples=400 if LONG else 14,
    stateful_step_count=60 if LONG else 30,
    suppress_health_check=list(HealthCheck),
)
TestHistories = Histories.TestCase
TestHistories.__doc__ = "Any history: what is foretold is done, and nothing else."
TestHistories.settings = SETTINGS
TestTightHistories = TightHistories.TestCase
TestTightHistories.__doc__ = "The same where every commit is tiny."
TestTightHistories.settings = SETTINGS
