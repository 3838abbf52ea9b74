"""`manage.py jobs`: the background jobs alone, for those who run `serve --no-jobs`.

One instance runs on a data directory: an OS lock says so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.conf import settings

from s4project import jobs
from s4project.courier import delivering
from s4project.job_board import Board, write_record
from s4project.jobs_door import Door
from s4project.metrics.publishing import start_jobs_metrics
from s4project.processes import ending_at_once, hold_lock
from s4project.sql.gate import gate
from s4project.sql.waiting import wait_for_database
from s4project.starting import ProcessCommand, welcome
from s4project.store import prepare_store
from s4project.task_runner import TaskRunner
from storage_engine.apps import close_engine

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProcessCommand):
    help = "Run the background jobs; `serve` does so by itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait", action="store_true", help="wait for an instance that runs to end"
        )

    def start(self, **options: Any) -> None:
        with hold_lock(settings.S4.data_dir / "jobs.lock", is_patient=options["wait"]):
            with ending_at_once():
                wait_for_database()
            gate.guard()
            jobs.hold_stop_signals()
            self.say(*welcome(prepare_store()))
            board, runner = Board(write_record), TaskRunner()
            metrics = start_jobs_metrics(board)
            door = Door(settings.S4.data_dir, board.as_dict, runner.look)
            door.start()
            with delivering():
                jobs.run_forever(board=board)
            door.stop()
            if metrics is not None:
                metrics.end()
                metrics.slots.remove()  # unless a server is there
            if not runner.stop():
                os._exit(0)  # a thread still reads the index, which must not be closed under it
            close_engine()
