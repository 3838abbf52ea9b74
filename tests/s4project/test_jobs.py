"""The jobs process: what runs when, what a failure does, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from s4project.machine import Doubt
from tests.s4project.probing import ROOT, wait_for
from tests.s4project.serving import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREAMBLE = """if True:
    import os, sys, time
    import django
    django.setup()
    from django.db import DatabaseError
    from s4project import logs
    from s4project.jobs import Job, is_stopping, run_forever
    from storage_engine.errors import EngineError
    logs.configure("info", "json")
    begin = time.monotonic()
    def say(word):
        print(word, flush=True)
    def fail(kind):
        say("fails")
        raise kind("as it was told")
"""


class Run:
    """A process that runs jobs written for the test."""

    def __init__(self, data: Path, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + code],
            cwd=ROOT,
            env=environment(data),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """Read what a job says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self, number: int) -> tuple[float, int, str]:
        """End the process by a signal; return how long that took, its code and its log."""
        begin = time.monotonic()
        self.process.send_signal(number)
        log = self.process.communicate(timeout=60)[1]
        return time.monotonic() - begin, self.process.returncode, log


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[type[Run]]:
    """Make runs, and leave none behind."""
    made: list[Run] = []

    class Tracked(Run):
        def __init__(self, code: str) -> None:
            super().__init__(tmp_path, code)
            made.append(self)

    yield Tracked
    for run in made:
        run.process.kill()
        run.process.communicate()


def test_each_job_runs_at_once_and_when_it_is_due(runs: type[Run]) -> None:
    """Jobs run at the start, and each at its own pace."""
    run = runs("""
    def quick():
        say(time.monotonic())
    run_forever([Job("slow", lambda: say("slow"), 60), Job("quick", quick, 0.2)])
    """)
    assert run.line() == "slow"
    times = [float(run.line()) for _ in range(4)]
    assert times[-1] - times[0] > 0.4  # three times 0.2 from when each was begun, not from its word


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_process_ends_at_once(runs: type[Run], number: int) -> None:
    """A signal ends the wait for the next job, with code 0 and nothing to report."""
    run = runs("""
    run_forever([Job("job", lambda: say("done"), 60)])
    """)
    assert run.line() == "done"
    seconds, code, log = run.end(number)
    assert (code, log) == (0, "")
    assert seconds < 30


def test_a_job_is_not_interrupted_but_may_look(runs: type[Run]) -> None:
    """A signal waits for the job in progress, which sees that it has come."""
    run = runs("""
    def job():
        say("begins")
        while not is_stopping():
            time.sleep(0.05)
        say("saw it")
        time.sleep(0.3)
        say("finished")
    run_forever([Job("job", job, 60), Job("other", lambda: say("other"), 60)])
    """)
    assert run.line() == "begins"
    run.process.send_signal(signal.SIGTERM)
    assert [run.line() for _ in range(3)] == ["saw it", "finished", ""]
    assert run.process.wait(60) == 0


@pytest.mark.parametrize("kind", ["OSError", "DatabaseError", "EngineError"])
def test_expected_trouble_is_logged_and_tried_again(runs: type[Run], kind: str) -> None:
    """A job that meets the disk's, the engine's or the database's trouble stops nobody."""
    run = runs(f"""
    run_forever([
        Job("bad", lambda: fail({kind}), 0.2), Job("good", lambda: say("goes on"), 0.2)
    ])
    """)
    words = [run.line() for _ in range(4)]
    assert sorted(words) == ["fails", "fails", "goes on", "goes on"]
    log = run.end(signal.SIGTERM)[2]
    assert '"job": "bad"' in log
    assert "as it was told" in log


def test_a_bug_ends_the_process(runs: type[Run]) -> None:
    """What no job may meet ends the process with an error, for `serve` to start it anew."""
    run = runs("""
    run_forever([Job("bad", lambda: fail(KeyError), 0.2)])
    """)
    assert run.line() == "fails"
    assert run.process.wait(60) == 1


def test_what_a_job_did_is_logged_and_nothing_else(runs: type[Run]) -> None:
    """A job that had nothing to do leaves no line."""
    run = runs("""
    run_forever([Job("idle", lambda: {}, 60), Job("busy", lambda: say("done") or ["thing"], 60)])
    """)
    assert run.line() == "done"
    (line,) = run.end(signal.SIGTERM)[2].splitlines()
    assert '"job": "busy"' in line


def jobs(data: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "jobs", *arguments],
        cwd=ROOT,
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_instance_runs_and_another_may_wait(tmp_path: Path) -> None:
    """The command runs once on a data directory; a second one is refused, or waits if told to."""
    first = jobs(tmp_path)
    second = None
    try:
        wait_for(lambda: is_locked(tmp_path / "jobs.lock", first.pid), 60)
        refused = jobs(tmp_path)
        error = refused.communicate(timeout=60)[1]
        assert refused.returncode == 1
        assert error.count("\n") == 1
        assert str(tmp_path) in error
        second = jobs(tmp_path, "--wait")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(2)
        first.terminate()
        assert first.wait(60) == 0
        wait_for(lambda: is_locked(tmp_path / "jobs.lock", second.pid), 60)
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()


def is_locked(path: Path, pid: int) -> bool:
    """Tell whether the process holds the lock, as the kernel sees it."""
    if not path.exists():
        return False
    inode = f":{path.stat().st_ino} "
    with open("/proc/locks", encoding="ascii") as locks:  # noqa: PTH123  # short
        held = [line.split() for line in locks if inode in line and "->" not in line]
    return any(int(fields[4]) == pid for fields in held) and os.path.isdir(f"/proc/{pid}")  # noqa: PTH112


def test_an_unfinished_job_lets_the_others_have_their_turn(runs: type[Run]) -> None:
    """A job that ended a slice of its work goes on soon, after those that are due."""
    run = runs("""
    from s4project.jobs import Unfinished
    slices = iter([Unfinished({"moved": 1}), Unfinished(None), {"moved": 2}])
    def long():
        say("slice")
        return next(slices)
    run_forever([Job("long", long, 60), Job("other", lambda: say("other"), 60)])
    """)
    assert [run.line() for _ in range(4)] == ["slice", "other", "slice", "slice"]
    time.sleep(0.2)
    log = run.end(signal.SIGTERM)[2]
    assert log.count("A job goes on") == 1
    assert log.count("A job is done") == 1


EVERY_JOB = [
    *("align_engine", "compact", "finish_deletions", "forget", "lifecycle", "prune_audit"),
    *("reclaim", "scrub", "snapshot", "watch_quotas"),
]
STORE = """
    from dataclasses import replace
    from django.conf import settings
    from s4project import jobs
    from storage_engine.apps import close_engine, get_engine
    from tests.storage_engine.engine_steps import BUCKET, KIB, noise, put
    for n in range(20):
        put(get_engine(), f"{n}", noise(20 * KIB, n))
    for n in range(1, 20, 2):
        get_engine().delete_object(BUCKET, f"{n}").result()
    close_engine()
"""


def test_compaction_and_scrub_run_by_themselves(runs: type[Run]) -> None:
    """The configured jobs give room back, read everything, and then have nothing to do."""
    run = runs(f"""{STORE}
    say(sorted(job.name for job in jobs.configured_jobs()))
    say(jobs.compact())
    say(jobs.compact())
    say(jobs.scrub())
    say(jobs.scrub())
    """)
    assert run.line() == str(EVERY_JOB)
    compacted = run.line()
    assert "'moved_blobs': 10" in compacted
    assert "'dropped_volumes': 1" in compacted
    assert run.line() == "{}"
    assert "'blobs': 10" in run.line()
    assert run.line() == "None"


def test_compaction_may_be_left_out_or_only_tell(runs: type[Run]) -> None:
    """Settings decide which jobs there are, and that compaction only logs what it would do."""
    run = runs(f"""{STORE}
    settings.S4 = replace(
        settings.S4, compaction_enabled=False, scrub_interval_days=0, compaction_dry_run=True,
        audit_retention_days=0,
    )
    say(sorted(job.name for job in jobs.configured_jobs()))
    say(jobs.compact())
    say(jobs.compact())
    """)
    left = ["align_engine", "finish_deletions", "forget", "lifecycle", "reclaim", "snapshot"]
    assert run.line() == str([*left, "watch_quotas"])
    told = run.line()
    assert "'would_rewrite': 1" in told
    assert run.line() == told


def test_long_jobs_work_in_slices_and_tell_of_damage(runs: type[Run]) -> None:
    """A slice that is over ends in Unfinished; damaged blobs are errors in the log."""
    run = runs(f"""{STORE}
    from storage_engine.volume import volume_path
    with volume_path(settings.S4.data_dir / "volumes", 1).open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    jobs.SLICE_SECONDS = -1
    say(type(jobs.compact()).__name__)
    say(type(jobs.scrub()).__name__)
    jobs.SLICE_SECONDS = 60
    say(jobs.scrub())
    """)
    assert [run.line() for _ in range(2)] == ["Unfinished", "Unfinished"]
    assert "blobs" in run.line()
    assert "block 0 fails its checksum" in run.end(signal.SIGTERM)[2]


def test_a_snapshot_is_left_when_the_process_is_to_end(runs: type[Run]) -> None:
    """A signal that waits ends the copy of the index, and nothing of it stays."""
    run = runs(f"""{STORE}
    import signal
    settings.S4 = replace(settings.S4, snapshot_interval_hours=0)
    jobs.hold_stop_signals()
    os.kill(os.getpid(), signal.SIGTERM)
    say(jobs.snapshot())
    say(os.listdir(settings.S4.data_dir / "snapshots"))
    signal.sigtimedwait(jobs.STOP_SIGNALS, 0)
    say(jobs.snapshot())
    """)
    assert [run.line() for _ in range(2)] == ["None", "[]"]
    assert ".snapshot" in run.line()


def test_a_look_rests_while_nothing_is_committed(runs: type[Run]) -> None:
    """What found nothing is left out until something is committed, or it has rested long enough."""
    run = runs(f"""{STORE}
    found = []
    look = jobs.Resting(lambda: found.append(1) or (len(found) == 2 and "something"), 3600)
    look(), look()
    say(len(found))
    put(get_engine(), "another", b"x")
    look()
    say(len(found))  # it found something, so it looks again
    look(), look()
    say(len(found))
    short = jobs.Resting(lambda: found.append(1), 0)
    short(), short()
    say(len(found))
    """)
    assert [run.line() for _ in range(4)] == ["1", "2", "3", "5"]


def test_a_snapshot_beside_another_is_nothing_to_do(runs: type[Run]) -> None:
    """While the command makes one the job has nothing to do; then it makes its own."""
    run = runs(f"""{STORE}
    import fcntl
    lock = os.open(settings.S4.data_dir / "snapshots", os.O_RDONLY)
    get_engine().snapshot_is_due = lambda age: True
    fcntl.flock(lock, fcntl.LOCK_EX)
    say(jobs.snapshot())
    os.close(lock)
    say(jobs.snapshot())
    """)
    assert run.line() == "None"
    assert "'name'" in run.line()


def test_a_clock_set_far_ahead_deletes_nothing_at_once(runs: type[Run]) -> None:
    """What deletes by age waits when the clock jumps a year ahead, and each jump is told."""
    run = runs("""
    from s4project.clock import ClockWatch
    ahead, looks = [0.0], []
    def job():
        looks.append("look")
        ahead[0] = {3: 400 * 86_400.0, 8: 0.0}.get(len(looks), ahead[0])
        say(f"look {len(looks)}")
    clock = ClockWatch(lambda: time.time() + ahead[0])
    run_forever(
        [Job("watch", job, 0.05), Job("lifecycle", lambda: say("deletes"), 0.05)], clock=clock
    )
    """)
    words = []
    while "look 12" not in words:
        words.append(run.line())
    assert "deletes" in words[: words.index("look 3")]
    assert "deletes" not in words[words.index("look 3") + 1 :]
    log = run.end(signal.SIGTERM)[2]
    events = [json.loads(line) for line in log.splitlines()]
    jumps = [(line["event"], line["seconds"]) for line in events]
    assert jumps == [(Doubt.JUMPED_FAR, 34_560_000), (Doubt.JUMPED, -34_560_000)]
