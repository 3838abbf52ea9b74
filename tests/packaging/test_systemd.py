"""The unit under a real systemd, which is process 1 of a root that the image was laid into.

What the unit forbids is forbidden here: that S4 runs shows that it needs none of it. Long, as the
image is: `make test-package`.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.server import answers
from tests.packaging.context import ROOT
from tests.packaging.inner import process_one
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.packaging.conftest import Image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

UNITS = Path("etc/systemd/system")
# Services of a whole machine, which this is not.
MASKED = ("systemd-resolved", "systemd-networkd", "systemd-timesyncd", "console-getty")
BOOT = """
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/shm" "$root/dev/pts" "$root/dev/mqueue" "$root/dev/hugepages"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
exec chroot "$root" env -i container=docker PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --system --log-target=journal-or-kmsg --show-status=no
"""


class Machine:
    """A machine whose process 1 is systemd."""

    def __init__(self, outer: subprocess.Popen[bytes], port: int) -> None:
        self.outer = outer
        self.port = port

    @property
    def pid(self) -> int:
        """Name its process 1."""
        return process_one(self.outer.pid)

    def run(self, *command: str) -> str:
        """Run a command on it, and answer what it said."""
        spaces = ("--pid", "--mount", "--uts", "--ipc", "--cgroup", "--root", "--wd=/")
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", *spaces, *command],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def shown(self, name: str) -> str:
        """Answer a property of the unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", "s4").strip()

    def until(self, name: str, value: str) -> None:
        """Wait until a property is what it must become."""
        deadline = time.monotonic() + 120
        while self.shown(name) != value:
            assert time.monotonic() < deadline, self.run("journalctl", "--no-pager", "-n", "40")
            time.sleep(0.2)


def own_group() -> Path | None:
    """Make a control group of systemd's own, where this machine has the second version of them."""
    found = re.search(r"^cgroup2? (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE)
    if found is None:
        return None
    group = Path(found[1]) / "s4-test-systemd"
    group.mkdir(exist_ok=True)
    return group


def drop_group(group: Path) -> None:
    """Take the control group away once nothing lives in it."""
    deadline = time.monotonic() + 30
    while "populated 1" in (group / "cgroup.events").read_text():
        assert time.monotonic() < deadline, "something of the machine lives on"
        time.sleep(0.1)
    inner = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
    for directory in (*inner, group):
        directory.rmdir()


@pytest.fixture(scope="module")
def machine(image: Image) -> Iterator[Machine]:
    """Lay the image out as docs/deployment.md installs S4, and boot systemd in it."""
    group = own_group()
    if group is None:
        pytest.skip("this machine has no control groups of the second version")
    root, upper, work = (image.room / f"booted-{part}" for part in ("root", "upper", "work"))
    for directory in (root, upper, work):
        directory.mkdir()
    layers = f"lowerdir={image.added}:{image.base},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    shutil.copy(ROOT / "deploy/s4.service", root / UNITS)
    for name in MASKED:
        (root / UNITS / f"{name}.service").symlink_to("/dev/null")
    (root / "usr/local/bin/s4").symlink_to("/opt/s4/bin/s4")
    (root / "etc/s4").mkdir()
    ports = free_port(), free_port()
    settings = "S4_BIND=127.0.0.1:{}\nS4_CONSOLE_BIND=127.0.0.1:{}\nS4_WORKERS=2\n"
    (root / "etc/s4/s4.env").write_text(settings.format(*ports))
    apart = ["--pid", "--mount", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child"]
    script = f'echo $$ > {group}/cgroup.procs; exec unshare {" ".join(apart)} sh -c "$1" sh "$2"'
    outer = subprocess.Popen(["sh", "-c", script, "sh", BOOT, root], stderr=subprocess.DEVNULL)
    try:
        running = Machine(outer, ports[1])
        deadline = time.monotonic() + 60
        while "Startup finished" not in running.run("journalctl", "--no-pager"):
            assert time.monotonic() < deadline, running.run("journalctl", "--no-pager")
            time.sleep(0.5)
        yield running
    finally:
        outer.send_signal(signal.SIGKILL)
        outer.wait()
        subprocess.run(["umount", "--recursive", "--lazy", root], check=True)
        drop_group(group)


def test_a_life_under_systemd(machine: Machine) -> None:
    """Active once it serves; reloaded with other workers; stopped in order, without a right."""
    said = machine.run("systemctl", "start", "s4")
    assert machine.shown("ActiveState") == "active", said + machine.run("journalctl", "-n", "40")
    assert answers(machine.port)
    assert machine.shown("StatusText").startswith("Serves")
    main = machine.shown("MainPID")
    status = machine.run("cat", f"/proc/{main}/status")
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status
    workers = machine.run("pgrep", "--parent", main)
    machine.run("systemctl", "reload", "s4")
    machine.until("StatusText", "Serves; worker processes: 2")
    assert (machine.shown("ActiveState"), machine.shown("MainPID")) == ("active", main)
    assert machine.run("pgrep", "--parent", main) != workers
    assert answers(machine.port)
    machine.run("systemctl", "stop", "s4")
    assert (machine.shown("ActiveState"), machine.shown("Result")) == ("inactive", "success")


def test_what_is_killed_comes_back(machine: Machine) -> None:
    """A main process that was killed is started again, and its children were not left behind."""
    machine.run("systemctl", "start", "s4")
    machine.run("kill", "-KILL", machine.shown("MainPID"))
    machine.until("NRestarts", "1")
    machine.until("ActiveState", "active")
    assert answers(machine.port)
    machine.run("systemctl", "stop", "s4")


def test_a_wrong_setting_is_one_line_of_the_journal(machine: Machine) -> None:
    """A start that is refused says why, and is not tried for ever at full speed."""
    machine.run("sh", "-c", "echo S4_REGIN=here >> /etc/s4/s4.env")
    machine.run("systemctl", "start", "s4")
    assert "S4_REGIN is not a setting of S4" in machine.run("journalctl", "--no-pager", "-u", "s4")
    machine.run("systemctl", "stop", "s4")
