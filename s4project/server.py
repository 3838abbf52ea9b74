"""The main process of `serve`: gunicorn's arbiter over the workers, and over the jobs process.

Runs in the process it is called in, with nothing of the engine or the database open, and forks.
Signals: SIGTERM and SIGINT end everything after the requests in progress, SIGINT again or SIGQUIT
at once; SIGHUP replaces the workers one generation by the next. Knows nothing of S3: which
application the workers run, and which command the jobs process is, stand in the plan.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import gunicorn.app.base
import gunicorn.arbiter
import structlog
from gunicorn.errors import HaltServer

import s4project.uptime  # noqa: F401  # the clock starts by it
from s4project import rate_table
from s4project.accepting import Attendance
from s4project.edge import Limits
from s4project.forwarding import Proxies
from s4project.logs import ArbiterLogger
from s4project.processes import (
    end_with_parent,
    raise_file_limit,
    release_signals,
    signals_held,
)
from s4project.supervisor import Supervisor
from s4project.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from s4project.tls.keeper import Keeper

BACKLOG: Final = 2048
HANG_SECONDS: Final = 60  # a worker whose event loop stands still this long is killed
RESPAWN_SECONDS_MIN: Final = 1.0
RESPAWN_SECONDS_MAX: Final = 60.0
HEARTBEAT_DIRECTORY: Final = Path("/dev/shm")  # noqa: S108  # memory: an idle server writes no disk

log = structlog.get_logger(__name__)


class CannotListenError(OSError):
    """A socket could not be opened; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to serve. Sockets listen already; `on_ready` is called once all workers accept."""

    sockets: tuple[socket.socket, ...]
    workers: int
    app: str = "s4project.asgi:application"
    jobs: tuple[str, ...] = ()  # the command line of the jobs process; empty: there is none
    limits: Limits = field(default_factory=Limits)
    proxies: Proxies = field(default_factory=Proxies)  # whose word on clients counts
    keeper: Keeper | None = None  # of the certificate; None: no TLS
    graceful_seconds: int = 30
    on_ready: Callable[[], None] = lambda: None


def load(path: str) -> Any:
    """Import `module:name`."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening TCP socket; port 0 takes a free one. Raises CannotListenError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        is_any_v6 = family == socket.AF_INET6 and address[0] == "::"
        return socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=is_any_v6
        )
    except OSError as error:
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror}") from error


class Child:
    """The jobs process: started, watched, and started again, each time later, when it dies."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.command = command
        self.pid = 0
        self.born_at = 0.0
        self.respawn_at = 0.0
        self.pause_seconds = RESPAWN_SECONDS_MIN
        self.is_wanted = True

    def keep_alive(self) -> None:
        """Start the process if it is down and its time has come."""
        now = time.monotonic()
        if self.pid or now < self.respawn_at or not self.is_wanted:
            return
        self.born_at = now
        parent_pid = os.getpid()
        with signals_held():
            self.pid = os.fork()
            if self.pid == 0:
                self._become(parent_pid)

    def _become(self, parent_pid: int) -> NoReturn:
        """Be the process: nothing of the arbiter is inherited but the wish to end with it."""
        try:
            for number in (*gunicorn.arbiter.Arbiter.SIGNALS, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            release_signals()
            end_with_parent(parent_pid)
            os.execv(self.command[0], self.command)  # noqa: S606  # no shell is wanted
        finally:  # nothing may climb back into the arbiter's loop
            os._exit(127)

    def reap(self) -> None:
        """Note whether the process has ended, and plan its return."""
        if not self.pid:
            return
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # the arbiter's own waitpid(-1) was faster
            pid, status = self.pid, -1
        if pid:
            self._note_end(os.waitstatus_to_exitcode(status) if status >= 0 else None)

    def _note_end(self, exit_code: int | None) -> None:
        """Wait twice as long as last time before the next start, unless it lived well."""
        self.pid = 0
        if not self.is_wanted:
            return
        now = time.monotonic()
        if now - self.born_at > RESPAWN_SECONDS_MAX:
            self.pause_seconds = RESPAWN_SECONDS_MIN
        self.respawn_at = now + self.pause_seconds
        log.error("The jobs process ended", exit_code=exit_code, starts_in=self.pause_seconds)
        self.pause_seconds = min(2 * self.pause_seconds, RESPAWN_SECONDS_MAX)

    def end(self, number: int = signal.SIGTERM) -> None:
        """Ask the process to end, and do not start it again."""
        self.is_wanted = False
        if self.pid:
            os.kill(self.pid, number)


class Application(gunicorn.app.base.BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's view of the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.readiness = -1  # the pipe on which workers report, set by the arbiter
        self.column = 0  # of the tables that workers share, of the one that is made next
        self.attendance: Attendance  # set by the arbiter
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        settings = {
            "workers": self.plan.workers,
            "worker_class": Worker,
            "logger_class": ArbiterLogger,
            "timeout": HANG_SECONDS,
            "graceful_timeout": self.plan.graceful_seconds,
            "control_socket_disable": True,
            "proc_name": "s4",
        }
        if os.access(HEARTBEAT_DIRECTORY, os.W_OK):
            settings["worker_tmp_dir"] = str(HEARTBEAT_DIRECTORY)
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Import the ASGI application."""
        return load(self.plan.app)


class Arbiter(gunicorn.arbiter.Arbiter):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's arbiter with a child more, and news of when all workers accept."""

    def __init__(self, app: Application) -> None:
        super().__init__(app)
        self.LISTENERS = list(app.plan.sockets)
        self.child = Child(app.plan.jobs) if app.plan.jobs else None
        self.reports, app.readiness = os.pipe()
        os.set_blocking(self.reports, False)  # the system call's own form
        self.awaited = app.plan.workers
        # For two generations of workers, of which the one goes while the other comes.
        self.columns = 2 * app.plan.workers + 2
        rate_table.share(self.columns)
        app.attendance = Attendance(self.columns)
        self.coming = 0  # workers of the next generation that do not accept yet
        self.last_old_age = 0  # of the generation that goes when they do
        self.is_stopping = False
        self.supervisor = Supervisor(os.environ)

    def manage_workers(self) -> None:
        """Keep the workers and the jobs process in number; while one comes, two generations."""
        if self.coming > 0:
            young = sum(worker.age > self.last_old_age for worker in self.WORKERS.values())
            for _ in range(self.num_workers - young):
                self.spawn_worker()
        else:
            super().manage_workers()
        self.supervisor.beat()
        if self.child:
            self.child.keep_alive()
        if self.app.plan.keeper:
            self.app.plan.keeper.look()

    def spawn_worker(self) -> int:
        """Fork a worker, which lets the signals through when it has its own handlers."""
        self.app.column = rate_table.free_column(self._columns_taken(), self.columns)
        with signals_held():
            pid: int = super().spawn_worker()
            return pid

    def _columns_taken(self) -> set[int]:
        return {worker.column for worker in self.WORKERS.values()}

    def reap_workers(self) -> None:
        """Take note of ended processes."""
        if self.child:
            self.child.reap()
        try:
            super().reap_workers()
        except HaltServer:  # a worker could not start; when another has said so, once is enough
            if not self.is_stopping:
                raise
        self.app.attendance.keep(self._columns_taken())  # nobody is to be waited for who is gone

    def handle_chld(self) -> None:
        """Take note of ended processes and of workers that have come to accept."""
        super().handle_chld()
        self._count_ready()

    handle_cld = handle_chld

    def _count_ready(self) -> None:
        """Call `on_ready` when the last worker of the first generation has reported."""
        with contextlib.suppress(BlockingIOError):
            reports = len(os.read(self.reports, 256))
            if self.coming > 0:
                self.coming -= reports
                if self.coming <= 0:
                    self._say_ready()
            if self.awaited > 0:
                self.awaited -= reports
                if self.awaited <= 0:
                    self.app.plan.on_ready()
                    self._say_ready()

    def _say_ready(self) -> None:
        """Tell the service manager that S4 serves."""
        self.supervisor.ready(f"Serves; worker processes: {self.app.plan.workers}")

    def reload(self) -> None:
        """Start the next generation; the old one serves until all of the next do.

        One that is still coming is of an older wish, and goes at once.
        """
        for pid, worker in list(self.WORKERS.items()) if self.coming > 0 else ():
            if worker.age > self.last_old_age:
                self.kill_worker(pid, signal.SIGTERM)
        self.supervisor.reloading()
        self.last_old_age, self.coming = self.worker_age, self.num_workers
        self.manage_workers()

    def handle_hup(self) -> None:
        """Replace the workers, whose successors serve the certificate as its files are now."""
        if self.app.plan.keeper:
            self.app.plan.keeper.look(is_asked=True)
        super().handle_hup()

    def handle_int(self) -> None:
        """End like on SIGTERM: Ctrl-C loses no request; a second one does not wait."""
        self.handle_term()

    def handle_usr2(self) -> None:
        """Refuse gunicorn's binary upgrade: the new server could not take the lock."""
        log.warning("SIGUSR2 does nothing; restart S4 to upgrade it")

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002  # gunicorn's signature
        """End the jobs process and the workers, within the graceful time."""
        deadline = time.monotonic() + self.cfg.graceful_timeout
        self.is_stopping = True
        self.supervisor.stopping()
        if self.child:
            self.child.end()
        super().stop(graceful)
        while self.child and self.child.pid:
            self.child.reap()
            if time.monotonic() > deadline:
                self.child.end(signal.SIGKILL)
            time.sleep(0.02)


def serve(plan: Plan) -> NoReturn:
    """Serve until told to end; leaves by SystemExit, with code 0 after an orderly end."""
    raise_file_limit()
    load(plan.app)  # once, before the fork: workers share its memory and are replaced quickly
    gc.collect()
    gc.freeze()  # keeps the collector of every worker off what all of them share
    Arbiter(Application(plan)).run()
    raise AssertionError("gunicorn's arbiter returned")
