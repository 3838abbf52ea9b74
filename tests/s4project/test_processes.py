"""Locks between processes, and processes that end together."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from s4project.processes import LockedError, hold_lock, raise_file_limit, write_holder
from tests.s4project.probing import ROOT, session_of, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that can import S4."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """A second holder is refused and told who the first one is; after the first it gets in."""
    path = tmp_path / "lock"
    with hold_lock(path) as lock:
        write_holder(lock, "somebody else entirely")
        write_holder(lock, "the first")
        with pytest.raises(LockedError) as refusal, hold_lock(path):
            pass
        assert refusal.value.holder == "the first"
    with hold_lock(path):
        pass


def test_a_lock_outlives_its_first_holder_in_what_that_forked(tmp_path: Path) -> None:
    """Forked processes hold the lock until the last of them ends, however it ends."""
    path = tmp_path / "lock"
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from s4project.processes import hold_lock
        with hold_lock(Path(sys.argv[1])):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            print(pid, flush=True)
            os._exit(0)
    """
    with run_python(code, str(path)) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        first.wait(10)
        with pytest.raises(LockedError), hold_lock(path):
            pass
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: session_of(child) == -1)
        with hold_lock(path):
            pass


def test_a_patient_holder_gets_in_when_the_first_one_ends(tmp_path: Path) -> None:
    """Waiting for a lock ends when it is given back."""
    path = tmp_path / "lock"
    code = """if True:
        import sys
        from pathlib import Path
        from s4project.processes import hold_lock
        print("waits", flush=True)
        with hold_lock(Path(sys.argv[1]), is_patient=True):
            print("holds", flush=True)
    """
    with hold_lock(path):
        second = run_python(code, str(path))
        assert second.stdout is not None
        assert second.stdout.readline() == "waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.3)
    with second:
        assert second.stdout.readline() == "holds\n"


def test_a_process_ends_with_its_parent() -> None:
    """A child that asked for it is gone when its parent is killed."""
    code = """if True:
        import os, signal
        from s4project.processes import end_with_parent
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            end_with_parent(parent)
            print(os.getpid(), flush=True)
        signal.pause()
    """
    with run_python(code) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait(10)
        wait_for(lambda: session_of(child) == -1)


def test_a_process_whose_parent_is_gone_already_ends_at_once() -> None:
    """A parent that died before the kernel was told is noticed."""
    code = "from s4project.processes import end_with_parent; end_with_parent(1); print('alive')"
    with run_python(code) as process:
        assert process.wait(10) == -signal.SIGKILL


def test_the_file_limit_is_raised_to_what_is_allowed() -> None:
    """The soft limit of open files becomes the hard one."""
    code = """if True:
        import resource
        from s4project.processes import raise_file_limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
    """
    with run_python(code) as process:
        assert process.communicate(timeout=60)[0] == "200 200 200\n"
    assert raise_file_limit() >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]
