"""Other servers of S3, each run by its binary as its own documentation says, synced if it can be.

Each is one node on one directory with one key, its console off. One that cannot be made to sync
before it answers is measured too; its durability is printed beside, for its PUTs are no equals.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import contenders
import servers
from servers import HOST, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NEVER_SYNCED = "NOT synced before the answer"
# What is synced is reached by a name that is not: a power cut may undo what was answered.
CONTENTS_SYNCED = "contents synced before the answer, names and DELETE NOT"
FURNISH_SECONDS_MAX = 60
REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rival is to run, and as whom."""

    binary: Path
    directory: Path  # for settings
    data: Path
    port: int
    access_key: str
    secret_key: str

    def write(self, name: str, text: str) -> Path:
        """Write a file of settings."""
        path = self.directory / name
        path.write_text(text)
        return path

    @property
    def bind(self) -> str:
        """The address of the S3 side."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a rival is started, and what must be told it once it answers."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    furnish: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Rival:
    """A rival: how it is launched, and when it holds what it was given."""

    launch: Callable[[Place], Launch]
    durability: str = contenders.DURABLE


def _minio(place: Place) -> Launch:
    # Data and metadata are written O_DSYNC or fdatasynced before the rename that commits; the
    # directories of that rename are not, and neither is what a DELETE does.
    console = f"{HOST}:{servers.free_port()}"
    return Launch(
        arguments=[
            *("server", "--quiet", "--address", place.bind, "--console-address", console),
            str(place.data),
        ],
        environment={
            "MINIO_ROOT_USER": place.access_key,
            "MINIO_ROOT_PASSWORD": place.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_SCANNER_SPEED": "slowest",
            "MINIO_UPDATE": "off",
        },
    )


def _rustfs(place: Place) -> Launch:
    # https://docs.rustfs.com/reference/cli; docs/operations/durability-modes.md: new buckets are
    # "relaxed" unless told otherwise.
    return Launch(
        arguments=["server", "--address", place.bind, str(place.data)],
        environment={
            "RUSTFS_ACCESS_KEY": place.access_key,
            "RUSTFS_SECRET_KEY": place.secret_key,
            "RUSTFS_CONSOLE_ENABLE": "false",
            "RUSTFS_DURABILITY_MODE": "strict",
            "RUSTFS_NEW_BUCKET_DURABILITY_MODE": "strict",
        },
    )


def _garage(place: Place) -> Launch:
    # https://garagehq.deuxfleurs.fr/documentation/reference-manual/configuration/
    # LMDB is opened with MDB_NOMETASYNC all the same: a power cut may undo its last commit.
    rpc = f"{HOST}:{servers.free_port()}"
    settings = place.write(
        "garage.toml",
        f"""\
metadata_dir = "{place.data}/meta"
data_dir = "{place.data}/data"
db_engine = "lmdb"
metadata_fsync = true
data_fsync = true
replication_factor = 1
rpc_bind_addr = "{rpc}"
rpc_public_addr = "{rpc}"
rpc_secret = "{secrets.token_hex(32)}"

[s3_api]
s3_region = "{REGION}"
api_bind_addr = "{place.bind}"
""",
    )

    return Launch(
        arguments=["-c", str(settings), "server", "--single-node", "--default-access-key"],
        environment={
            "GARAGE_DEFAULT_ACCESS_KEY": place.access_key,
            "GARAGE_DEFAULT_SECRET_KEY": place.secret_key,
            "RUST_LOG": "garage=warn",
        },
    )


def _seaweedfs(place: Place) -> Launch:
    # https://github.com/seaweedfs/seaweedfs/wiki: Amazon S3 API, Path Specific Configuration.
    # Each port has another for gRPC, ten thousand above unless it is named. The filer's names lie
    # in LevelDB, whose log is not synced (4.48).
    names = ("master", "volume", "filer")
    ports = {name: servers.free_port() for name in names}
    grpc = {name: servers.free_port() for name in (*names, "s3")}
    identity = {
        "name": "bench",
        "credentials": [{"accessKey": place.access_key, "secretKey": place.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    settings = place.write("s3.json", json.dumps({"identities": [identity]}))
    arguments = [
        *("server", f"-dir={place.data}", f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3"),
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *(f"-{name}.port.grpc={port}" for name, port in grpc.items()),
        *(f"-s3.port={place.port}", f"-s3.config={settings}", "-master.volumeSizeLimitMB=1024"),
        *("-volume.max=0", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]

    def furnish() -> None:
        master, filer = (f"{HOST}:{ports[name]}.{grpc[name]}" for name in ("master", "filer"))
        _demand(
            [str(place.binary), "shell", f"-master={master}", f"-filer={filer}"],
            "fs.configure -locationPrefix=/buckets/ -fsync -apply\nexit\n",
        )

    return Launch(arguments=arguments, furnish=furnish)


def _versitygw(place: Place) -> Launch:
    # Its posix backend has no sync at all. Connections are kept only where that is asked for.
    return Launch(
        arguments=[
            *("--port", place.bind, "--access", place.access_key, "--secret", place.secret_key),
            *("--quiet", "--keep-alive", "posix", str(place.data)),
        ]
    )


def _s4core(place: Place) -> Launch:
    # Its strict_sync is on, and no setting turns it off. Unless told otherwise it logs each
    # request in detail, and looks for volumes to compact while it serves.
    return Launch(
        arguments=[],
        environment={
            "S4_BIND": place.bind,
            "S4_DATA_DIR": str(place.data),
            "S4_ACCESS_KEY_ID": place.access_key,
            "S4_SECRET_ACCESS_KEY": place.secret_key,
            "S4_LIFECYCLE_ENABLED": "false",
            "S4_COMPACTION_ENABLED": "false",
            "RUST_LOG": "warn",
        },
    )


def _rclone(place: Place) -> Launch:
    # No product to compare with: a stand-in that is in Debian, for trying this program.
    return Launch(
        arguments=[
            *("serve", "s3", "--addr", place.bind, "--config", os.devnull),
            *("--auth-key", f"{place.access_key},{place.secret_key}"),
            *("--vfs-cache-mode", "off", str(place.data)),
        ]
    )


RIVALS: dict[str, Rival] = {
    "minio": Rival(_minio, CONTENTS_SYNCED),
    "rustfs": Rival(_rustfs),
    "garage": Rival(_garage, "all but the last commit synced before the answer"),
    "seaweedfs": Rival(_seaweedfs, CONTENTS_SYNCED),
    "versitygw": Rival(_versitygw, NEVER_SYNCED),
    "s4core": Rival(_s4core),
    "rclone": Rival(_rclone, NEVER_SYNCED),
}


def contender(name: str, binary: Path) -> contenders.Contender:
    """Make a contender of a rival."""
    rival = RIVALS[name]

    def start(directory: Path, prefix: list[str]) -> Iterator[Server]:
        return _started(name, binary, directory, prefix)

    return contenders.Contender(name, contextmanager(start), rival.durability)


def _started(name: str, binary: Path, directory: Path, prefix: list[str]) -> Iterator[Server]:
    data, log = directory / "data", directory / f"{name}.log"
    data.mkdir()
    # Garage takes keys of this form only; the others take it too.
    key, secret = "GK" + secrets.token_hex(12), secrets.token_hex(32)
    place = Place(
        binary=binary,
        directory=directory,
        data=data,
        port=servers.free_port(),
        access_key=key,
        secret_key=secret,
    )
    launch = RIVALS[name].launch(place)
    command = [*prefix, str(binary), *launch.arguments]
    environment = servers.environment_without_settings() | launch.environment
    with servers.running(name, command, environment, log, place.port, directory) as pid:
        launch.furnish()
        server = Server(name, pid, log, place.port, key, secret, data, region=REGION)
        _await_bucket(server)
        yield server


def _await_bucket(server: Server) -> None:
    """Wait until a bucket can be made: some answer before all of them is up."""
    _wait(lambda: server.ask("PUT", "/bench-ready")[0] < 300, f"{server.name}: no bucket is made")


def _demand(command: list[str], told: str = "") -> str:
    """Run a command that must succeed, again while the server is not ready for it."""
    outcomes: list[subprocess.CompletedProcess[str]] = []

    def attempt() -> bool:
        outcomes.append(
            subprocess.run(command, input=told, capture_output=True, text=True, check=False)
        )
        return outcomes[-1].returncode == 0

    _wait(attempt, " ".join(command[:3]))
    return outcomes[-1].stdout


def _wait(is_done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + FURNISH_SECONDS_MAX
    while time.monotonic() < deadline:
        if is_done():
            return
        time.sleep(0.3)
    raise ServerError(f"{what}: not within {FURNISH_SECONDS_MAX} s")
