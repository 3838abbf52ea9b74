"""One ASGI application on two ports: S3 on one, the Django console on the other.

`scope["server"]` tells which socket a connection came in on; everything else follows from that.
The engine is opened when a worker starts (after fork) and closed when it stops.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
from typing import TYPE_CHECKING, Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s4project.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from iam.audit.acting import request_id
from iam.audit.notes import weight
from iam.services.audit import note_box, write_notes
from s3api.context import LOOK_SECONDS
from s3api.errors import S3Error
from s4project.body_bound import BodyBound
from s4project.key_uses import KeyUses
from s4project.logs.access import AccessLog, open_access_log
from s4project.logs.console import ConsoleLog
from s4project.meters.counters import Counters
from s4project.meters.gauges import Sampler
from s4project.meters.ring import NAME, Ring
from s4project.metrics.worker import start_metrics
from s4project.probes import MINIO, ConsoleProbes, MinioProbes
from s4project.s3side import close_s3_app, open_s3_app
from s4project.scribe import RecordQueue, Scribe
from s4project.session_gateway import SessionGateway
from s4project.sql.gate import gate
from s4project.trace import watches as trace
from s4project.trace.watches import Tracer
from s4project.zip_download import ZipDownload
from storage_engine.apps import close_engine, get_engine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from s3api.app import S3App
    from s4project.metrics.worker import WorkerMetrics

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    Room = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class TwoSides:
    """Sends each connection to the side its port belongs to."""

    def __init__(self) -> None:
        self.accesses: AccessLog | None = None
        self.console = ConsoleLog(BodyBound(get_asgi_application()), self._accesses)
        _ = get_resolver().url_patterns  # loads the pages before the fork: workers share them
        self.s3: S3App | None = None
        self.gateway = SessionGateway(self._s3)
        self.zips = ConsoleLog(ZipDownload(self._s3), self._accesses)
        self.metrics: WorkerMetrics | None = None
        self.probes = ConsoleProbes(self._s3)
        self.minio = MinioProbes(self._s3)
        self._console_port = 0  # known when the sockets listen

    def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection scope: what is awaited is the room's own, with nothing around it."""
        if scope["type"] == "lifespan":
            return self._lifespan(receive, send)
        assert scope["type"] == "http", "no other protocol is spoken here"
        if scope["server"][1] == self._console_port:
            return self._serve_console(scope, receive, send)
        if scope["raw_path"].startswith(MINIO):
            return self.minio(scope, receive, send)
        assert self.s3 is not None, "no request before start-up"
        return self.s3(scope, receive, send)

    async def _serve_console(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request of the console's port, under an id that its own task knows."""
        request_id.set(secrets.token_hex(8).upper())
        await self._room(scope["raw_path"])(scope, receive, send)

    def _room(self, path: bytes) -> Room:
        """Find out whose a path of the console's port is."""
        if SessionGateway.is_for(path):
            return self.gateway
        if ConsoleProbes.is_for(path):
            return self.probes
        return self.zips if ZipDownload.is_for(path) else self.console

    def _accesses(self) -> AccessLog | None:
        return self.accesses

    def each_second(self, connections: int) -> None:
        """Take the worker's tick, and how many connections it has."""
        if self.metrics is not None:
            self.metrics.tick(self._s3().store.in_flight, connections)

    def _s3(self) -> S3App:
        assert self.s3 is not None, "no request before start-up"
        return self.s3

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Open the engine when the worker starts; write and close when the worker stops."""
        await receive()
        self._console_port = settings.S4_CONSOLE_PORT
        engine, directory = get_engine(), settings.S4.data_dir
        uses, notes = KeyUses(), RecordQueue("audit notes", write_notes, weigh=weight)
        note_box.take = notes.put
        counters = Counters(Ring(directory / NAME), Sampler(engine, directory))
        scribe = Scribe(uses, notes, counters)
        scribe.start()
        self.s3 = open_s3_app(engine, uses, notes.put)
        await self._first_snapshots()
        following = asyncio.create_task(self.s3.store.follow())
        self.s3.tellers.append(counters.tell)
        self.accesses = open_access_log(settings.S4)
        if self.accesses is not None:
            self.s3.tellers.append(self.accesses.tell)
        self.metrics = start_metrics(engine, self.s3, counters)
        tracer = Tracer(directory / trace.NAME, self.s3.tellers)
        tracer.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        following.cancel()
        tracer.stop()
        close_s3_app()
        scribe.stop()
        if self.metrics is not None:
            self.metrics.end()
            self.metrics = None
        # SQL's connections of threads that have ended are closed with their circles, and the last
        # one gives back the room of SQLite's log: on a full disk the engine ends in order by that.
        gc.unfreeze()
        gc.collect()
        close_engine()
        await send({"type": "lifespan.shutdown.complete"})

    async def _first_snapshots(self) -> None:
        """Read who there is before any request comes: without that, all would be refused.

        A worker that is started while SQL is away waits for it, and the others serve meanwhile.
        """
        gate.guard(settings.S4.database_connections)
        while True:
            try:
                return await self._s3().store.refresh()
            except S3Error:
                await asyncio.sleep(LOOK_SECONDS)


application = TwoSides()
