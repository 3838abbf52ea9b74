"""`manage.py serve`: everything that S4 is, from an empty directory to a running store.

Prepares the data directory, then becomes the main process of the workers and the jobs. Only one
`serve` runs on a data directory: an OS lock says so.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connections

from buckets.alignment import align_engine
from s4project import server
from s4project.forwarding import Proxies
from s4project.metrics.pages import make_token
from s4project.metrics.publishing import fresh_slots
from s4project.processes import ending_at_once, hold_lock, write_holder
from s4project.setting_values import Address, parse_address, whole_number
from s4project.sql.waiting import wait_for_database
from s4project.starting import ProcessCommand, say_without_waiting, url, welcome
from s4project.store import prepare_store
from s4project.tls.certificate import CertificateError, Pair
from s4project.tls.keeper import Keeper
from storage_engine.apps import close_engine

if TYPE_CHECKING:
    import socket

    from django.core.management.base import CommandParser

OPTIONS = {
    "workers": ("worker processes (S4_WORKERS)", whole_number(1, 256)),
    "bind": ("address and port of the S3 side (S4_BIND)", parse_address),
    "console_bind": ("address and port of the console (S4_CONSOLE_BIND)", parse_address),
}


class Command(ProcessCommand):
    help = "Run S4: the S3 side, the console and the background jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, (meaning, _) in OPTIONS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=meaning)
        parser.add_argument("--no-jobs", action="store_true", help="leave the jobs to another")

    def start(self, **options: Any) -> None:
        self._take_options(options)
        keeper = self._read_certificate()
        with hold_lock(settings.S4.data_dir / "serve.lock") as lock:
            sockets = self._listen()
            with ending_at_once():
                wait_for_database()
            first = prepare_store()
            s3, console = url(settings.S4.bind), url(settings.S4.console_bind)
            self.say(f"S4 on {settings.S4.data_dir}", f"S3       {s3}", f"Console  {console}")
            self.say(*welcome(first))  # at once: what it says is known to nobody else
            make_token(settings.S4.data_dir)
            align_engine()  # before anybody writes by bounds that SQL does not have
            # Nothing that must not be shared may be open when the workers are forked.
            close_engine()
            connections.close_all()
            write_holder(lock, f"process {os.getpid()}, S3 {s3}, console {console}\n")
            manage = str(Path(sys.argv[0]).absolute())
            plan = server.Plan(
                sockets=sockets,
                workers=settings.S4.workers,
                jobs=() if options["no_jobs"] else (sys.executable, manage, "jobs", "--wait"),
                proxies=Proxies(settings.S4.trusted_proxies),
                keeper=keeper,
                on_ready=lambda: say_without_waiting("S4 is ready"),
            )
            with fresh_slots():
                server.serve(plan)

    def _take_options(self, options: dict[str, Any]) -> None:
        """Let options win over the environment."""
        given: dict[str, Any] = {}
        for name, (_, parse) in OPTIONS.items():
            if options[name] is not None:
                try:
                    given[name] = parse(options[name])
                except ValueError as error:
                    self.give_up(2, f"--{name.replace('_', '-')} {error}")
        settings.S4 = dataclasses.replace(settings.S4, **given)

    def _read_certificate(self) -> Keeper | None:
        """Read what TLS is served with, before anything is done that could be in vain."""
        certificate, key = settings.S4.tls_cert, settings.S4.tls_key
        if certificate is None or key is None:
            return None
        try:
            return Keeper(Pair(certificate, key), has_http2=settings.S4.http2)
        except CertificateError as error:
            self.give_up(2, str(error))

    def _listen(self) -> tuple[socket.socket, socket.socket]:
        """Open both sockets and write the ports they really have into the settings."""
        asked = settings.S4
        if asked.bind.port == asked.console_bind.port != 0:
            self.give_up(2, "S4_BIND and S4_CONSOLE_BIND must have different ports")
        s3, console = server.listen(*asked.bind), server.listen(*asked.console_bind)
        settings.S4 = dataclasses.replace(
            asked,
            bind=Address(asked.bind.host, s3.getsockname()[1]),
            console_bind=Address(asked.console_bind.host, console.getsockname()[1]),
        )
        settings.S4_CONSOLE_PORT = settings.S4.console_bind.port
        return s3, console
