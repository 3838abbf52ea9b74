"""One worker process: uvicorn's server under gunicorn's arbiter, on S4's edge.

Wakes once a second when idle (uvicorn: ten times), ends promptly and quietly, tells the arbiter
when it accepts connections, and dies with it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import gunicorn.arbiter
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from s4project import rate_table
from s4project.accepting import Connections, Listener
from s4project.edge import Edge
from s4project.http2.connection import Http2
from s4project.processes import end_with_parent, raise_file_limit, release_signals
from s4project.readiness import end_accepting
from s4project.tls.connection import TlsConnection
from s4project.tls.keeper import HTTP_2
from s4project.trace.watches import end_watches

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import FrameType

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from s4project.edge import Limits
    from s4project.server import Plan

TICK_SECONDS: Final = 1.0
USHER_SECONDS: Final = 0.1
DRAIN_MARGIN_SECONDS: Final = 2  # kept of the arbiter's patience for closing the engine
GARBAGE_OBJECTS: Final = 50_000  # so many more than before, and the collector looks among the new


class Connection(Protocol):
    """What every connection can be told, whatever is spoken on it."""

    def sweep(self, now: float) -> None:
        """Close if the client has kept it waiting too long."""

    def shutdown(self) -> None:
        """Close as soon as nothing is in progress."""


def speaker(plan: Plan, limits: Limits) -> Callable[..., asyncio.Protocol]:
    """Make what answers for each new connection, called as uvicorn calls its protocols."""

    def speak_http(**given: Any) -> asyncio.Protocol:
        return Edge(**given, limits=limits, proxies=plan.proxies)

    def speak_http2(**given: Any) -> asyncio.Protocol:
        return Http2(**given, limits=limits, proxies=plan.proxies)

    keeper = plan.keeper
    if keeper is None:
        return speak_http
    handshakes: dict[TlsConnection, None] = {}

    def speak_tls(*, server_state: ServerState, **given: Any) -> asyncio.Protocol:
        def choose(protocol: str | None) -> asyncio.Protocol:
            speak = speak_http2 if protocol == HTTP_2 else speak_http
            return speak(server_state=server_state, **given)

        return TlsConnection(keeper, limits, server_state, handshakes, choose)

    return speak_tls


class WorkerServer(Server):
    """uvicorn's server with a slow tick that also sweeps the connections."""

    def __init__(
        self,
        config: Config,
        connections: Connections,
        on_accepting: Callable[[], None],
        each_second: Callable[[int], None],
    ) -> None:
        super().__init__(config)
        self.server_state.connections = self.connections = connections
        self.on_accepting = on_accepting
        self.each_second = each_second  # is told how many connect
        self.loop = asyncio.get_running_loop()
        self.exit_event = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and accept connections."""
        waiting = self.loop.create_task(self._wait_for_application())
        await super().startup([])  # the application: it is to accept nothing by itself
        waiting.cancel()
        _leave_alone_what_stays()
        self._listen(sockets or [])
        self.on_accepting()

    def _listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections, for uvicorn to end that as it would its own."""
        made: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        speak = partial(
            made,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=self.loop,
        )
        self.connections.open()
        listeners = [Listener(listening, self.connections, speak) for listening in sockets]
        self.servers = cast("list[asyncio.base_events.Server]", listeners)

    async def _wait_for_application(self) -> None:
        """Tell the arbiter that this worker lives; end at once when it is to: nothing is begun."""
        while not self.should_exit:
            if self.config.callback_notify is not None:
                await self.config.callback_notify()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self.exit_event.wait()
        os._exit(0)

    async def main_loop(self) -> None:
        """Tick once a second until told to end."""
        while not await self.on_tick(counter=0):
            now = self.loop.time()
            for connection in self.living():
                connection.sweep(now)
            self.each_second(len(self.server_state.connections))
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self.exit_event.wait()
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order; connections that come to rest, or came last, are closed as they do."""
        end_watches()
        end_accepting()
        usher = self.loop.create_task(self._usher())
        try:
            await super().shutdown(sockets)
        finally:
            usher.cancel()

    async def _usher(self) -> None:
        """Ask every connection to close, until all have."""
        while True:
            for connection in self.living():
                connection.shutdown()
                connection.sweep(self.loop.time())
            await asyncio.sleep(USHER_SECONDS)

    def living(self) -> list[Connection]:
        """List the connections; they may close while they are gone through."""
        return cast("list[Connection]", list(self.server_state.connections))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End after the requests in progress, or at once on SIGQUIT.

        SIGINT is the arbiter's affair: a terminal's Ctrl-C reaches every process, in any order.
        The signal is not raised again afterwards, as uvicorn does: the process ends with code 0.
        """
        del frame
        if sig == signal.SIGINT:
            return
        self.force_exit = sig == signal.SIGQUIT
        self.should_exit = True
        self.loop.call_soon_threadsafe(self.exit_event.set)


def _leave_alone_what_stays() -> None:
    """Keep the collector off what a worker has once it serves, and let it look seldom.

    Requests to S3 make no circles, so that it finds next to nothing; Python's own 700 had it look
    through whatever requests were under way every few dozen of them, 5 % of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, *gc.get_threshold()[1:])


class Worker(UvicornWorker):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's view of a worker."""

    CONFIG_KWARGS: Final[dict[str, Any]] = {
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",  # "auto" would serve on without an engine when start-up fails
        "interface": "asgi3",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan: Plan = self.app.plan
        self.column: int = self.app.column
        limits, files = plan.limits, raise_file_limit()
        limits = dataclasses.replace(  # what is left is for the engine's files
            limits,
            connections=min(limits.connections, files // 2),
            connections_refused=min(limits.connections_refused, files // 8),
        )
        self.config.http = speaker(plan, limits)
        self.config.timeout_graceful_shutdown = self.cfg.graceful_timeout - DRAIN_MARGIN_SECONDS
        logging.getLogger("uvicorn.error").propagate = True  # uvicorn-worker cut it off

    def init_process(self) -> None:
        """Become a worker."""
        end_with_parent(self.ppid)
        rate_table.take(self.column)
        super().init_process()

    def init_signals(self) -> None:
        """Be killed by signals until the server takes them."""
        super().init_signals()
        release_signals()

    async def _serve(self) -> None:
        """Serve until told to end."""
        self.config.app = self.wsgi
        connections = Connections(self.app.attendance, self.column)
        server = WorkerServer(self.config, connections, self._report, self._each_second)
        server.loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(gunicorn.arbiter.Arbiter.WORKER_BOOT_ERROR)

    def _each_second(self, connections: int) -> None:
        """Let the application look around, and follow the certificate."""
        if (each_second := getattr(self.wsgi, "each_second", None)) is not None:
            each_second(connections)
        if (keeper := self.app.plan.keeper) is not None:
            keeper.follow()

    def _report(self) -> None:
        """Tell the arbiter that this worker accepts connections, and wake it."""
        os.write(self.app.readiness, b"1")
        os.kill(self.ppid, signal.SIGCHLD)
