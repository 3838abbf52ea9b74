"""Measures what grows with anything but the work: objects, buckets, users, statements, connections.

Each case puts the same requests on a small and on a large one in turn, there and back (A B B A),
and says how many times the small one's cost the large one's is. With ten million objects it takes
half an hour, of which the loading takes most, and 10 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import charts
import loop
import processes
import protocols
import scale_keys
import servers
from load import LoadError, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from servers import Server

BUCKET = "bench"
SMALL, LARGE = 10_000, 10_000_000
BUCKETS = USERS = STATEMENTS = 1000
IDLE = 5000
STATEMENTS_A_POLICY = 70
CONNECTIONS = 32
OBJECT_BYTES = 100
LIST_ROWS = 1000
REST_SECONDS = 2.5  # a checkpoint comes within two of a change
REST_SECONDS_MAX = 180.0
CHANGES = 20
STARTS = 3
STAGES = servers.ROOT / "benchmarks" / "scale_stages.py"
STATEMENT_HEAD = {"Effect": "Allow", "Action": "s3:GetObject"}
PARTS = ("objects", "people", "idle")
A_SECOND = {"GET": 15_000, "HEAD": 15_000, "PUT": 8000, "LIST": 800}

Figures = dict[str, float]


@dataclass(slots=True)
class Side:
    """One of the two: a server, who asks it, and which paths."""

    server: Server
    paths: Sequence[str]


@dataclass(slots=True)
class Growth:
    """A run: where, how long each stage is, and what came out so far."""

    options: argparse.Namespace
    directory: Path
    cores: list[int]
    cases: dict[str, dict[str, dict[str, Figures]]] = field(default_factory=dict)
    stages: int = 0

    # --- servers ---------------------------------------------------------------------------------

    @contextmanager
    def server(
        self, directory: Path, workers: int = 1, certificates: Path | None = None
    ) -> Iterator[Server]:
        """Run S4 on a directory, pinned where there are cores for it."""
        directory.mkdir(parents=True, exist_ok=True)
        os.sched_setaffinity(0, self.cores)
        served = ",".join(map(str, self.cores[:-1]))
        prefix = ["taskset", "-c", served] if served else []
        with servers.s4(directory, workers, prefix, certificates) as server:
            os.sched_setaffinity(0, self.cores[-1:])
            yield server

    # --- measuring -------------------------------------------------------------------------------

    def compare(self, case: str, method: str, small: Side, large: Side) -> None:
        """Put the same kind of requests on both in turn, and print how they compare."""
        taken: dict[str, list[Figures]] = {"small": [], "large": []}
        pids = [small.server.pid, large.server.pid]
        self.rest(pids)
        for side in (small, large):
            self.measure(method, side, is_once=method in {"GET", "HEAD"})  # it warms up
        for name in ("small", "large", "large", "small") * self.options.rounds:
            side = small if name == "small" else large
            self.rest(pids)
            taken[name].append(self.measure(method, side))
        self.keep(case, method, {name: medians(figures) for name, figures in taken.items()})

    def keep(self, case: str, what: str, found: dict[str, Figures]) -> None:
        """Note and print one comparison."""
        self.cases.setdefault(case, {})[what] = found
        small, large = found["small"], found["large"]
        ratios = "  ".join(
            f"{name} {small[name]:,.2f} -> {value:,.2f} ({value / small[name]:.2f}x)"
            if small.get(name)
            else f"{name} {value:,.2f}"
            for name, value in large.items()
        )
        print(f"{case:<48}{what:<7}{ratios}", flush=True)
        if self.options.json:
            self.options.json.write_text(json.dumps({"cases": self.cases}, indent=2) + "\n")

    def measure(self, method: str, side: Side, *, is_once: bool = False) -> Figures:
        """Measure one side for some seconds, or by asking once for each of its paths."""
        self.stages += 1
        seconds = self.options.seconds
        count = A_SECOND[method] * seconds
        paths, query = side.paths, ""
        if method == "PUT":
            paths = [
                f"/{BUCKET}/{scale_keys.new_key(self.stages * 10**6 + n)}" for n in range(count)
            ]
        elif method == "LIST":
            # Among keys at the root: of those in folders a small store has fewer in each, which
            # costs more to list, and more objects would seem to make lists cheaper.
            after = f"0{random.Random(self.stages).randrange(16**5):05x}"  # noqa: S311
            query = f"list-type=2&max-keys={LIST_ROWS}&start-after={after}"
            paths = [f"/{BUCKET}"]
        if not is_once:
            paths = (list(paths) * (count // len(paths) + 1))[:count]
        stage = Stage(
            number=self.stages,
            method="GET" if method == "LIST" else method,
            paths=paths,
            connections=1 if method == "LIST" else CONNECTIONS,
            seconds=0 if is_once else seconds,
            size=OBJECT_BYTES,
            query=query,
        )
        before = processes.cost(side.server.pid)
        seen = loop.run(stage, side.server.signer(), side.server.tls())
        spent = processes.cost(side.server.pid).since(before)
        later = {}
        if method == "PUT":  # what they leave to do, checkpoints above all, is their cost too
            self.rest([side.server.pid])
            in_all = processes.cost(side.server.pid).since(before)
            later["CPU us, checkpoints too"] = in_all.cpu_seconds / seen.requests * 1e6
        if seen.refused:
            raise LoadError(f"{seen.refused} of {seen.requests} {method} were refused")
        first = {"first byte ms": seen.first_byte_ms or 0} if method == "LIST" else {}
        return {
            "CPU us": spent.cpu_seconds / seen.requests * 1e6,
            "p50 ms": seen.p50_ms,
            "p99 ms": seen.p99_ms,
            **first,
            **later,
        }

    def rest(self, pids: Sequence[int]) -> None:
        """Wait until servers do nothing by themselves, checkpoints of what was put among that.

        A copy of the index of ten million objects, which is due after a day, takes half a minute.
        """
        if not processes.rest(pids, REST_SECONDS, REST_SECONDS_MAX):
            print("a stage begins though a server is busy", file=sys.stderr, flush=True)

    # --- the cases -------------------------------------------------------------------------------

    def objects(self) -> None:
        """Compare a store of few objects with one of many."""
        count = self.options.objects
        case = f"{SMALL:,} and {count:,} objects"
        stores = {"small": (self.directory / "few", SMALL), "large": (self.options.store, count)}
        for directory, total in stores.values():
            self.load(directory, total)
        for directory, _ in stores.values():
            warm(directory / "data" / "index" / "data.mdb")
        starts: dict[str, list[Figures]] = {name: [] for name in stores}
        for name in ("small", "large") * STARTS:
            starts[name].append(self.start(*stores[name]))
        self.keep(case, "start", {name: medians(found) for name, found in starts.items()})
        with ExitStack() as stack:
            sides = {
                name: Side(
                    stack.enter_context(self.server(directory)),
                    [f"/{BUCKET}/{key}" for key in some_keys(total)],
                )
                for name, (directory, total) in stores.items()
            }
            for method in A_SECOND:
                self.compare(case, method, sides["small"], sides["large"])

    def load(self, directory: Path, total: int) -> None:
        """Fill a store through the engine, unless that was done before."""
        if (directory / "loaded").exists():
            return
        with self.server(directory) as server:
            server.demand("PUT", f"/{BUCKET}")
        print(f"loading {total:,} objects", file=sys.stderr, flush=True)
        options = {"total": total, "in_flight": 2048, "share": 0, "shares": 1}
        # The snapshot would be due as soon as S4 runs, and be counted as what requests cost.
        for stage, given in (("load", options), ("snapshot", {})):
            subprocess.run(
                [sys.executable, STAGES, stage, directory / "data", json.dumps(given)],
                env=os.environ | {"PYTHONPATH": str(servers.ROOT)},
                stdout=subprocess.DEVNULL,
                check=True,
            )
        (directory / "loaded").touch()

    def start(self, directory: Path, total: int) -> Figures:
        """Start the server; tell when it has answered a first request."""
        key = next(iter(some_keys(total)))
        began = time.perf_counter()
        with self.server(directory) as server:
            server.demand("GET", f"/{BUCKET}/{key}")
            seconds = time.perf_counter() - began
            memory = processes.cost(server.pid).anonymous_bytes
        return {"s": seconds, "MB": memory / 1e6}

    def people(self) -> None:
        """Compare one bucket, user and statement with a thousand of each."""
        with ExitStack() as stack:
            sides = [
                Side(stack.enter_context(self.server(self.directory / name)), [f"/{BUCKET}/key"])
                for name in ("one", "thousand")
            ]
            for side in sides:
                side.server.demand("PUT", f"/{BUCKET}")
                side.server.demand("PUT", f"/{BUCKET}/key", b"x" * OBJECT_BYTES)
            small, large = sides
            for number in range(BUCKETS):
                large.server.demand("PUT", f"/bucket-{number:04d}")
                large.server.demand("PUT", f"/bucket-{number:04d}/key", b"x" * OBJECT_BYTES)
            many = replace_paths(large, [f"/bucket-{n:04d}/key" for n in range(BUCKETS)])
            for method in ("GET", "PUT"):
                self.compare(f"1 and {BUCKETS:,} buckets, each in turn", method, small, many)
            self._users(small, large)
            self._statements(large)

    def _users(self, small: Side, large: Side) -> None:
        one = User.make(small.server, "user-0000", role="SuperUser")
        last = one
        for number in range(USERS):
            last = User.make(large.server, f"user-{number:04d}", role="SuperUser")
        case = f"1 and {USERS:,} users"
        self.compare(case, "GET", one.side(small), last.side(large))
        found = {
            name: medians([user.change(side.server) for _ in range(CHANGES)])
            for name, user, side in (("small", one, small), ("large", last, large))
        }
        self.keep(f"{case}: GET after a change of one", "GET", found)

    def _statements(self, side: Side) -> None:
        server = side.server
        sides = []
        for count in (1, STATEMENTS):
            policies = []
            for first in range(0, count, STATEMENTS_A_POLICY):
                numbers = range(first, min(first + STATEMENTS_A_POLICY, count))
                policies.append(make_policy(server, f"p-{count}-{first}", numbers, count))
            groups = []
            for first in range(0, len(policies), 10):
                groups.append(f"g-{count}-{first}")
                body = {"name": groups[-1], "policies": policies[first : first + 10]}
                call(server, "POST", "/api/admin/groups", body)
            user = User.make(server, f"holder-{count}", role=None, groups=groups)
            sides.append(user.side(side))
        self.compare(f"1 and {STATEMENTS:,} statements of policies", "GET", *sides)

    def idle(self) -> None:
        """Compare no other connection with thousands that are open and say nothing.

        Two workers hold them: one takes 4,096 at most.
        """
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._idle(f"0 and {IDLE:,} idle connections", self.directory / "idle", None)
        certificates = protocols.make_certificates(self.directory / "certificates")
        self._idle(f"0 and {IDLE:,} idle connections, TLS", self.directory / "tls", certificates)

    def _idle(self, case: str, directory: Path, certificates: Path | None) -> None:
        with self.server(directory, 2, certificates) as server:
            server.demand("PUT", f"/{BUCKET}")
            server.demand("PUT", f"/{BUCKET}/key", b"x" * OBJECT_BYTES)
            side = Side(server, [f"/{BUCKET}/key"])
            taken: dict[str, list[Figures]] = {"small": [], "large": []}
            self.measure("GET", side)  # it warms up
            for name in ("small", "large", "large", "small") * self.options.rounds:
                opened: list[loop.Connection] = []
                if name == "large":
                    opened = open_idle(server)
                self.rest([server.pid])
                figures = self.measure("GET", side)
                figures["MB"] = processes.cost(server.pid).anonymous_bytes / 1e6
                taken[name].append(figures)
                close_idle(opened)
            found = {name: medians(figures) for name, figures in taken.items()}
            # The first time: what connections have left behind is used again by the next ones.
            first = {name: figures[0]["MB"] for name, figures in taken.items()}
            for name, megabytes in first.items():
                found[name]["MB"] = round(megabytes, 1)
            found["large"]["kB each"] = round((first["large"] - first["small"]) / IDLE * 1e3, 1)
            self.keep(case, "GET", found)


def open_idle(server: Server) -> list[loop.Connection]:
    """Open connections and ask once over each."""
    signer, tls = server.signer(), server.tls()
    stage = Stage(number=0, method="GET", paths=[f"/{BUCKET}/key"], connections=1, seconds=0)
    ((head, body),) = loop.requests(stage, signer)
    opened = []
    for _ in range(IDLE):
        opened.append(loop.Connection(signer.host, 1 << 12, tls))
        if opened[-1].ask(head, body).status != 200:
            raise LoadError("a request was refused before its connection was idle")
    return opened


def close_idle(opened: Sequence[loop.Connection]) -> None:
    """Close connections; raises LoadError where the server had closed one before."""
    poll = select.poll()
    for connection in opened:
        poll.register(connection.socket, select.POLLRDHUP)
    gone = len(poll.poll(0))
    for connection in opened:
        connection.socket.close()
    if gone:
        raise LoadError(f"{gone} of {len(opened)} idle connections were closed by the server")


@dataclass(frozen=True, slots=True)
class User:
    """A user with an access key."""

    number: str
    access_key: str
    secret_key: str

    @classmethod
    def make(cls, server: Server, name: str, role: str | None, groups: Sequence[str] = ()) -> User:
        """Make a user."""
        body = {"username": name, "role": role, "groups": list(groups)}
        made = call(server, "POST", "/api/admin/users", body)
        key = call(server, "POST", f"/api/admin/users/{made['id']}/keys", {"name": "bench"})
        return cls(made["id"], key["access_key"], key["secret_key"])

    def side(self, side: Side) -> Side:
        """Answer a side that asks as this user."""
        asking = replace(side.server, access_key=self.access_key, secret_key=self.secret_key)
        return Side(asking, side.paths)

    def change(self, server: Server) -> Figures:
        """Change the user, and tell how long the next request takes, which must know of it."""
        body = {"display_name": f"changed at {time.time_ns()}"}
        call(server, "PUT", f"/api/admin/users/{self.number}", body)
        began = time.perf_counter()
        server.demand("GET", f"/{BUCKET}/key")
        return {"ms": (time.perf_counter() - began) * 1e3}


def warm(path: Path) -> None:
    """Have a file in memory: what is not there is measured by `scale.py`."""
    with path.open("rb") as file:
        while file.read(1 << 22):
            pass


def make_policy(server: Server, name: str, numbers: Sequence[int], count: int) -> str:
    """Make a managed policy of some statements; the last of all allows what will be asked."""
    statements = [
        STATEMENT_HEAD | {"Resource": f"arn:aws:s3:::{BUCKET if n == count - 1 else f'b{n}'}/*"}
        for n in numbers
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    call(server, "POST", "/api/admin/policies", {"name": name, "document": document})
    return name


tokens: dict[int, str] = {}


def call(server: Server, method: str, path: str, body: dict[str, Any]) -> Any:
    """Ask the administrators' interface as root."""
    address = f"http://{servers.HOST}:{server.console_port}"
    headers = {"Content-Type": "application/json"}
    if path != "/api/admin/login":
        if server.pid not in tokens:
            login = {"username": "root", "password": server.password}
            tokens[server.pid] = call(server, "POST", "/api/admin/login", login)["token"]
        headers["Authorization"] = f"Bearer {tokens[server.pid]}"
    request = urllib.request.Request(  # noqa: S310  # http alone
        f"{address}{path}", json.dumps(body).encode(), headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")
    except OSError as error:
        said = error.read().decode()[:300] if hasattr(error, "read") else ""
        raise servers.ServerError(f"{method} {path}: {error} {said}") from error


def replace_paths(side: Side, paths: Sequence[str]) -> Side:
    """Answer the same server with other paths."""
    return Side(side.server, paths)


def some_keys(total: int, count: int = 5000) -> list[str]:
    """Pick keys of a loaded store in no order."""
    chosen = random.Random(7)  # noqa: S311  # reproducible, not secret
    return [scale_keys.key_of(chosen.randrange(total), total) for _ in range(count)]


def medians(turns: Sequence[Figures]) -> Figures:
    """Take the median of each figure."""
    return {name: round(statistics.median(each[name] for each in turns), 3) for name in turns[0]}


def drawing(cases: dict[str, dict[str, dict[str, Figures]]]) -> charts.Bars:
    """Draw how many times the small one's cost the large one's is."""
    rows = []
    for case, methods in cases.items():
        for method, found in methods.items():
            name = next(iter(found["small"]))
            ratio = found["large"][name] / found["small"][name]
            rows.append((f"{case}: {method}", {"times": ratio}))
    title = "Large against small: times the CPU (or the seconds of a start, of a first request)"
    return charts.Bars(title, ["times"], rows, digits=2, left=360)


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Measure; answer a line of complaint when something was not as it must be."""
    parser = argparse.ArgumentParser(description="Measure what grows with more than the work.")
    add = parser.add_argument
    add("--objects", type=int, default=LARGE, help=f"in the large store ({LARGE:,})")
    add("--store", type=Path, metavar="DIR", help="keep the large store there, or find it there")
    add("--only", choices=PARTS, action="append", help=f"among {', '.join(PARTS)}")
    add("--seconds", type=int, default=2, help="length of each stage (2)")
    add("--rounds", type=int, default=2, help="how often there and back (2)")
    add("--json", type=Path, metavar="FILE", help="write everything measured there too")
    add("--plots", type=Path, metavar="DIR", help="draw it as SVG there")
    add("--directory", type=Path, help="where fresh directories are made: the disk to measure")
    options = parser.parse_args(arguments)
    if shutil.which("taskset") is None:
        return "growth: taskset not found (Debian: apt install util-linux)"
    try:
        with tempfile.TemporaryDirectory(prefix="s4-growth-", dir=options.directory) as name:
            directory = Path(name)
            options.store = options.store or directory / "many"
            growth = Growth(options, directory, sorted(os.sched_getaffinity(0)))
            for part in options.only or PARTS:
                getattr(growth, part)()
    except (LoadError, servers.ServerError, OSError) as error:
        return f"growth: {error}"
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        (options.plots / "bench-growth.svg").write_text(charts.svg(drawing(growth.cases)))
    return None


if __name__ == "__main__":
    sys.exit(main())
