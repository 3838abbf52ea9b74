"""Puts one work on one running server and brings what client, server and disk say into figures."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import load
import loop
import processes
import servers
import streams
from load import LoadError, Stage
from works import GIB, KIB, LIST_ROWS, MIB, WRITING, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from contenders import Contender
    from load import Load
    from servers import Server
    from works import Work

BUCKET = "bench"
FILL_CONNECTIONS = 32
FILL_BYTES_MAX = 256 * MIB
FILL_COUNT_MAX = 2000
FOLDER_KEYS = 100
SYNC_SECONDS = 1
RESTLESS_SECONDS_MAX = 2.0
DELETES_A_SECOND = 6000  # until the first stage tells better
ASKS_A_SECOND_MAX = 25_000
LISTS_A_SECOND_MAX = 1500
MIX = ("GET", "GET", "PUT", "GET", "GET", "PUT", "GET", "PUT", "GET", "DELETE")
MIX_LAG = 1000  # a DELETE follows its PUT by so many requests
LARGE_TURNS = {Operation.MULTIPART: 4, Operation.STREAM_PUT: 1, Operation.STREAM_GET: 2}

Figures = dict[str, float]


@dataclass(slots=True)
class Subject:
    """A contender that runs, and what was put on it so far."""

    contender: Contender
    server: Server
    directory: Path
    seconds: int
    listed: int  # keys that are there to be listed
    stages: int = 0
    stored: dict[int, list[str]] = field(default_factory=dict)  # size -> paths surely there
    has_lists: bool = False
    is_restless: bool = False
    delete_rates: dict[int, float] = field(default_factory=dict)  # by connections

    def prepare(self) -> None:
        """Make the bucket, and prove that the server keeps and refuses what it must."""
        if self.contender.is_bare:
            return
        server = self.server
        if server.ask("HEAD", f"/{BUCKET}")[0] == 404:
            server.demand("PUT", f"/{BUCKET}")
        server.demand("PUT", f"/{BUCKET}/probe", b"what was put")
        if server.demand("GET", f"/{BUCKET}/probe") != b"what was put":
            raise servers.ServerError(f"{server.name} answered other bytes than were put")
        if server.ask("GET", f"/{BUCKET}/missing")[0] != 404:
            raise servers.ServerError(f"{server.name} did not answer 404 for a missing key")

    def can(self, work: Work) -> bool:
        """Tell whether the contender can do such work."""
        plain = {Operation.PUT, Operation.GET, Operation.HEAD}
        return not self.contender.is_bare or (work.operation in plain and bool(work.size))

    def measure(self, work: Work, neighbours: Sequence[Subject], *, counts_syncs: bool) -> Figures:
        """Measure a work; the syncs are counted in a run of their own, after the timed one.

        It begins when neither this server nor one beside it does anything by itself.
        """
        with self._complaining():
            self._furnish(work)
            is_rested = self._rest(neighbours)
            data = self.server.data_dir
            has_files = data is not None and work.operation in {*WRITING, *LARGE_TURNS}
            disk = processes.disk_use(data) if data is not None and has_files else (0, 0)
            before = processes.cost(self.server.pid)
            seen = self._load(work, self.seconds)
            spent = processes.cost(self.server.pid).since(before)
            figures = _figures(work, seen, spent) | {"unrested": float(not is_rested)}
            figures["memory_bytes"] = processes.memory(self.server.pid)
            if data is not None and has_files:
                files, occupied = processes.disk_use(data)
                figures["disk_bytes_per_operation"] = round((occupied - disk[1]) / seen.requests)
                figures["files_per_1000"] = round((files - disk[0]) / seen.requests * 1000, 2)
            if counts_syncs and work.operation in {*WRITING, Operation.MULTIPART}:
                figures |= self._syncs(work)
        return figures

    def _syncs(self, work: Work) -> Figures:
        self._furnish(work, SYNC_SECONDS)
        with processes.syncs_counted(self.server.pid, self.directory) as counted:
            seen = self._load(work, SYNC_SECONDS)
        if not counted:
            return {}
        return {"syncs_per_1000": round(sum(counted.values()) / seen.requests * 1000, 1)}

    def _rest(self, neighbours: Sequence[Subject]) -> bool:
        """Wait for rest; not for long again where there was none before."""
        pids = [each.server.pid for each in neighbours]
        wait = RESTLESS_SECONDS_MAX if self.is_restless else processes.REST_SECONDS_MAX
        is_rested = processes.rest(pids, seconds_max=wait)
        self.is_restless = not is_rested
        return is_rested

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except (LoadError, OSError) as error:
            words = self.server.last_words()
            raise LoadError(f"{error}; {self.contender.name} last said: {words}") from error

    # --- what must be there before ---------------------------------------------------------------

    def _furnish(self, work: Work, seconds: int = 0) -> None:
        """Put what the work asks for."""
        seconds = seconds or self.seconds
        if work.operation is Operation.DELETE:
            rate = self.delete_rates.get(work.connections) or DELETES_A_SECOND
            rate = min(rate, 1500) if work.connections == 1 else rate
            count = min(math.ceil(rate * seconds), FILL_BYTES_MAX // work.size)
            self.stored[-1] = self._fill("delete", work.size, max(work.connections, count))
        elif work.operation in {Operation.LIST, Operation.FOLDERS}:
            self._fill_lists()
        elif work.operation is Operation.STREAM_GET:
            if not self.stored.get(work.size):
                self.stored[work.size] = [f"/{BUCKET}/large"]
                self._put_large(f"/{BUCKET}/large", work.size)
        elif work.operation in {Operation.GET, Operation.HEAD, Operation.MIXED}:
            count = max(2, min(FILL_COUNT_MAX, FILL_BYTES_MAX // work.size))
            if len(self.stored.get(work.size, [])) < count:
                self.stored[work.size] = self._fill(str(work.size), work.size, count)

    def _fill(self, place: str, size: int, count: int) -> list[str]:
        if self.contender.is_bare:
            return [f"/{BUCKET}/{size}/{index}" for index in range(count)]
        self.stages += 1
        paths = [f"/{BUCKET}/{place}/f{self.stages}-{index:08d}" for index in range(count)]
        self._put_all(paths, size)
        return paths

    def _put_all(self, paths: list[str], size: int) -> None:
        stage = Stage(
            number=self.stages,
            method="PUT",
            paths=paths,
            connections=FILL_CONNECTIONS,
            seconds=0,
            size=size,
        )
        if loop.run(stage, self.server.signer()).refused:
            raise LoadError("a PUT before the stage was refused")

    def _put_large(self, path: str, size: int) -> None:
        connection = loop.Connection(self.server.signer().host)
        status = streams.put_once(connection, self.server, path, streams.Body(size))
        connection.socket.close()
        if status != 200:
            raise LoadError(f"a PUT of {size} bytes was answered {status}")

    def _fill_lists(self) -> None:
        if self.has_lists:
            return
        self.has_lists = True
        self.stages += 1
        names = [divmod(index, FOLDER_KEYS) for index in range(self.listed)]
        self._put_all([f"/{BUCKET}/list/{folder:06d}/{name:04d}" for folder, name in names], 100)

    # --- the load --------------------------------------------------------------------------------

    def _load(self, work: Work, seconds: int) -> Load:
        self.stages += 1
        if work.operation in LARGE_TURNS:
            return self._load_large(work)
        stage = self._stage(work, seconds)
        by_loop = {Operation.HEAD, Operation.DELETE, Operation.LIST, Operation.FOLDERS}
        if work.operation in by_loop:
            seen = loop.run(stage, self.server.signer())
        else:
            seen = load.run(stage, self.server.signer(), self.directory)
        if not seen.requests:
            raise LoadError(f"no {work.operation} was answered in {seconds} s")
        if work.operation is Operation.PUT and work.payload is load.Payload.UNSIGNED:
            # wrk asks for one request before it begins and never sends it; the last ones may
            # have been under way when the time was up.
            whole = min(seen.requests, len(stage.paths)) // 2
            if work.alike is load.Alike.NEVER and whole > FILL_COUNT_MAX:
                self.stored[work.size] = list(stage.paths[1:whole])
        if work.operation is Operation.DELETE:
            self.delete_rates[work.connections] = seen.rate
        return seen

    def _load_large(self, work: Work) -> Load:
        turns = LARGE_TURNS[work.operation]
        path = f"/{BUCKET}/large-{self.stages}-"
        if work.operation is Operation.MULTIPART:
            return streams.multipart(self.server, path, work.size, work.connections, turns)
        if work.operation is Operation.STREAM_PUT:
            return streams.put(self.server, path, work.size, turns)
        return streams.get(self.server, self.stored[work.size][0], turns)

    def _stage(self, work: Work, seconds: int) -> Stage:
        stage = Stage(
            number=self.stages,
            method=work.operation.value,
            paths=(),
            connections=work.connections,
            seconds=seconds,
            size=work.size,
            payload=work.payload,
            alike=work.alike,
        )
        match work.operation:
            case Operation.PUT:
                return replace(stage, paths=self._new_paths(work.size, seconds))
            case Operation.DELETE:
                return replace(stage, paths=self.stored.pop(-1), seconds=0)
            case Operation.HEAD:
                asks = math.ceil(ASKS_A_SECOND_MAX * seconds)
                stored = self.stored[work.size]
                return replace(stage, paths=(stored * (asks // len(stored) + 1))[:asks])
            case Operation.LIST | Operation.FOLDERS:
                return self._listing(stage, work)
            case Operation.MIXED:
                return replace(stage, paths=self._mixed_paths(work.size, seconds), methods=MIX)
        return replace(stage, paths=self.stored[work.size])

    def _new_paths(self, size: int, seconds: int) -> list[str]:
        a_second = max(400, min(15_000, GIB // size))
        count = math.ceil(seconds * a_second)
        return [f"/{BUCKET}/{size}/{self.stages}-{index:08d}" for index in range(count)]

    def _listing(self, stage: Stage, work: Work) -> Stage:
        """List a page in the middle of everything."""
        folder = self.listed // FOLDER_KEYS // 2
        has_delimiter = work.operation is Operation.FOLDERS
        if has_delimiter:
            folder = max(0, self.listed // FOLDER_KEYS - LIST_ROWS - 1)
        query = (
            f"{'delimiter=%2F&' if has_delimiter else ''}list-type=2&max-keys={LIST_ROWS}"
            f"&prefix=list%2F&start-after=list%2F{folder:06d}%2F"
        )
        asks = math.ceil(LISTS_A_SECOND_MAX * stage.seconds)
        return replace(stage, method="GET", paths=[f"/{BUCKET}"] * asks, query=query)

    def _mixed_paths(self, size: int, seconds: int) -> list[str]:
        """Six GET, three PUT and one DELETE of every ten; what is deleted was put before."""
        stored, paths = self.stored[size], []
        put = MIX.index("PUT")
        for index in range(math.ceil(seconds * 15_000)):
            method = MIX[index % len(MIX)]
            at = index - index % len(MIX) + put - MIX_LAG if method == "DELETE" else index
            new = f"/{BUCKET}/mixed/{self.stages}-{at:08d}"
            paths.append(stored[index * 7919 % len(stored)] if method == "GET" else new)
        return paths


def _figures(work: Work, seen: Load, spent: processes.Cost) -> Figures:
    """Bring what client and server measured into one row of numbers."""
    figures = {
        "requests": seen.requests,
        "requests_per_second": round(seen.rate, 3 if work.size >= MIB else 1),
        "p50_ms": seen.p50_ms,
        "p99_ms": seen.p99_ms,
        "cpu_seconds_per_1000": round(spent.cpu_seconds / seen.requests * 1000, 4),
        "server_cores": round(spent.cpu_seconds / seen.seconds, 3),
        "client_cores": round(seen.client_seconds / seen.seconds, 3),
        "refused": seen.refused,
        "broken": seen.broken,
    }
    if work.size >= KIB and work.operation not in {Operation.HEAD, Operation.DELETE}:
        figures["bytes_per_second"] = round(seen.rate * work.size)
    if seen.first_byte_ms is not None:
        figures["first_byte_ms"] = seen.first_byte_ms
    return figures
