"""The image, without Docker: the Dockerfile's steps carried out over Debian's own files.

Takes minutes and reaches for packages: `make test-package` runs it. What it builds is then run as
Docker would run it: by the image's user, entrypoint and environment, as process 1, with a root
file system that nobody can write to.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from tests.packaging.inner import process_one
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.packaging.conftest import Image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
ACCESS_KEY, SECRET_KEY = "IMAGEACCESSKEY", "image-secret-key-0123456789"
SIZE_MAX = 200 * 1024 * 1024  # of what the image adds to its base


class Container:
    """A run of the image, with a volume of its own."""

    def __init__(self, image: Image, volume: Path, **settings: str) -> None:
        self.image = image
        self.ports = {"S4_BIND": free_port(), "S4_CONSOLE_BIND": free_port()}
        binds = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.environment = image.stage.environment | binds | settings
        command = image.stage.told("ENTRYPOINT").command + image.stage.told("CMD").command
        self.log = volume.parent / "log"
        with self.log.open("wb") as log:
            self.outer = subprocess.Popen(
                [
                    "unshare",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "--mount",
                    *self._inside(command, volume),
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def _inside(self, command: list[str], volume: Path) -> list[str]:
        """Write what lays the mounts of a container, and becomes its process 1."""
        user = self.image.stage.told("USER").text
        uid, _, gid = user.partition(":")
        script = """
            set -e
            root=$1 volume=$2 uid=$3 gid=$4 directory=$5; shift 5
            mount --make-rprivate /
            mount --bind "$root" "$root"
            mount --bind "$volume" "$root/data"
            mount -t proc proc "$root/proc"
            mount -t tmpfs tmpfs "$root/tmp"
            mount -t tmpfs -o mode=755 tmpfs "$root/dev"
            mkdir -m 1777 "$root/dev/shm"
            for name in null zero random urandom; do
                touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"
            done
            mount -o remount,bind,ro "$root" "$root"
            exec chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups \\
                --no-new-privs --bounding-set=-all env --chdir="$directory" "$@"
        """
        root, directory = str(self.image.root), self.image.stage.directory
        return ["sh", "-c", script, "sh", root, str(volume), uid, gid, directory, *command]

    @property
    def pid(self) -> int:
        """Name its process 1."""
        return process_one(self.outer.pid)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `docker exec` does."""
        user = self.image.stage.told("USER").text.split(":")
        enter = ["nsenter", f"--target={self.pid}", "--pid", "--mount", "--root", "--wd=/"]
        ids = [f"--setuid={user[0]}", f"--setgid={user[1]}"]
        return subprocess.run(
            [*enter, *ids, "/usr/bin/env", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def until(self, words: str) -> None:
        """Wait until it has said something."""
        deadline = time.monotonic() + 120
        while words not in self.log.read_text():
            assert self.outer.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def container(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """Run the image, and end it as `docker stop` does."""
    volume = tmp_path_factory.mktemp("volume") / "data"
    shutil.copytree(image.root / "data", volume)  # a new volume is what the image has there
    os.chown(volume, 10001, 10001)
    keys = {"S4_ACCESS_KEY_ID": ACCESS_KEY, "S4_SECRET_ACCESS_KEY": SECRET_KEY}
    running = Container(image, volume, S4_WORKERS="1", **keys)
    try:
        running.until("S4 is ready")
        yield running
        os.kill(running.pid, signal.SIGTERM)
        assert running.outer.wait(60) == 0, running.log.read_text()
    finally:
        running.outer.kill()
        running.outer.wait()


def test_the_image_holds_what_runs_and_no_more(image: Image) -> None:
    """No source, no pip, no compiler in what is added; it is small; only /data is the user's."""
    added = [path for path in image.added.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in added) < SIZE_MAX
    names = {path.relative_to(image.added).as_posix() for path in added}
    packages = {
        name.split("/site-packages/")[1].split("/")[0] for name in names if "site-packages" in name
    }
    assert "s4project" in packages
    assert packages & {"pip", "setuptools", "pytest", "boto3", "tests"} == set()
    assert not (image.root / "src").exists()
    owned = [path for path in image.added.rglob("*") if path.lstat().st_uid == 10001]
    assert owned == [image.added / "data"]


def test_it_serves_as_its_user_on_a_read_only_root(container: Container) -> None:
    """Objects are put and got; S4 runs as 10001, without a right, and can write to /data alone."""
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{container.ports['S4_BIND']}",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    s3.create_bucket(Bucket="image")
    s3.put_object(Bucket="image", Key="k", Body=b"x" * 10_000_000)
    assert s3.get_object(Bucket="image", Key="k")["Body"].read() == b"x" * 10_000_000
    s3.close()
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert "Uid:\t10001\t10001\t10001\t10001" in status
    assert "CapEff:\t0000000000000000" in status
    for place, code in (("/x", 1), ("/opt/s4/x", 1), ("/data/x", 0)):
        assert container.run("touch", place).returncode == code


def test_its_health_is_asked_for_inside(container: Container) -> None:
    """The command of HEALTHCHECK, run in the container, ends with 0."""
    health = container.image.stage.told("HEALTHCHECK").command
    done = container.run(*health)
    assert done.returncode == 0, done.stderr


def test_commands_work_beside_it(container: Container) -> None:
    """`docker exec` runs S4's commands on the store that is served."""
    done = container.run("s4", "list_users")
    assert done.returncode == 0, done.stderr
    assert "root" in done.stdout
