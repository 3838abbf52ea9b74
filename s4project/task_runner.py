"""Carries out tasks in the jobs process: each in a thread of its own, at most one of a kind.

Woken when one is asked for or is to stop. A task that meets trouble it may meet has failed, and
says why; anything else ends the process, as for jobs. When the process is to end, what runs is put
back, and the next process goes on with it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import lmdb
import structlog
from django.db import Error, close_old_connections, connections

from iam.audit.acting import Actor, Via, acting
from s4project import tasks
from s4project.models import State
from s4project.sql.gate import gate
from s4project.task_work import Outcome, Work, carry_out
from storage_engine import Busy, EngineError

if TYPE_CHECKING:
    from s4project.models import Task

PROGRESS_SECONDS: Final = 2.0  # between two notes of how far a task is
BUSY_SECONDS: Final = 0.5  # before it is tried again what somebody else is at
DATABASE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 20.0  # what `serve` leaves the process, less what closing takes
OBSTACLES: Final = (EngineError, OSError, Error, lmdb.Error)

log = structlog.get_logger(__name__)


class Run:
    """One task at work."""

    def __init__(self, task: Task, is_ending: threading.Event) -> None:
        self.task = task
        self.wish = threading.Event()  # somebody wants this one to stop
        self._is_ending = is_ending
        self._noted = 0.0
        self.thread = threading.Thread(target=self._run, name=f"task {task.pk}", daemon=True)

    def should_stop(self) -> bool:
        """Tell whether this task is to end, or the process."""
        return self.wish.is_set() or self._is_ending.is_set()

    def _run(self) -> None:
        is_orderly = False
        try:
            with acting(self._actor):
                self._work()
            is_orderly = True
        finally:
            connections.close_all()
            if not is_orderly:  # a bug: the process ends too, and is started anew
                os.kill(os.getpid(), signal.SIGTERM)

    def _actor(self) -> Actor:
        task = self.task
        return Actor(Via.JOBS, task.asked_by, task.asked_by_id, credential=f"task {task.pk}")

    def _work(self) -> None:
        """Carry the task out, and write down how it ended."""
        if not self._insist(partial(tasks.begin, self.task)):
            return
        log.info("A task is begun", task=self.task.pk, kind=self.task.kind)
        outcome, failure = Outcome(is_complete=False), ""
        try:
            outcome = self._when_free()
        except OBSTACLES as error:
            failure = f"{type(error).__name__}: {error}"
        result = outcome.after(self.task).as_result()
        columns = {"result": result, "problems": outcome.problems, "note": failure}
        if not outcome.is_complete and not failure and not self.wish.is_set():
            self._insist(partial(tasks.put_back, self.task, **columns))
            return
        state = State.FAILED if failure else State.DONE if outcome.is_complete else State.STOPPED
        self._insist(partial(tasks.end, self.task, state, **columns))
        figures = result["figures"]
        log.info("A task ended", task=self.task.pk, state=state, note=failure, result=figures)

    def _when_free(self) -> Outcome:
        """Carry the task out once nobody else, such as a job, is at the same."""
        work, is_told = Work(self._progress, self.should_stop), False
        while not self.should_stop():
            try:
                return carry_out(self.task, work)
            except Busy as error:
                if not is_told:
                    self._try_to_note(note=f"It waits: {error}.")
                    is_told = True
                self.wish.wait(BUSY_SECONDS)
        return Outcome(is_complete=False)

    def _progress(self, done: int, total: int) -> None:
        """Note how far it is, now and then."""
        now = time.monotonic()
        if now - self._noted < PROGRESS_SECONDS:
            return
        self._noted = now
        self._try_to_note(progress_done=done, progress_total=total, note="")

    def _try_to_note(self, **columns: object) -> None:
        close_old_connections()
        try:
            tasks.note(self.task, **columns)
        except Error as error:
            if gate.is_away:
                return
            log.warning("How far a task is cannot be noted", task=self.task.pk, error=str(error))

    def _insist(self, write: partial[bool] | partial[None]) -> bool | None:
        """Write what must be written, until the database takes it or the process ends."""
        is_told = False
        while True:
            close_old_connections()
            try:
                return write()
            except Error as error:
                if not is_told:
                    log.warning(
                        "A task waits for the database", task=self.task.pk, error=str(error)
                    )
                is_told = True
            if self._is_ending.wait(DATABASE_SECONDS):
                return None


class TaskRunner:
    """All tasks of the process."""

    def __init__(self) -> None:
        self._is_ending = threading.Event()
        self._runs: dict[str, Run] = {}  # by kind
        self._looking = threading.Lock()
        self._is_recovered = False

    def look(self) -> None:
        """Begin what is asked for, and stop what is to."""
        try:
            with self._looking:
                self._look()
        except Error as error:
            if not gate.is_away:
                log.warning("Tasks cannot be looked for", error=str(error), retry=DATABASE_SECONDS)
            timer = threading.Timer(DATABASE_SECONDS, self.look)
            timer.daemon = True
            timer.start()
        finally:
            connections.close_all()  # it may sleep for long

    def _look(self) -> None:
        close_old_connections()
        if not self._is_recovered:
            tasks.recover()
            self._is_recovered = True
        for task in tasks.open_tasks():
            run = self._runs.get(task.kind)
            is_at_work = run is not None and run.thread.is_alive()
            if run is not None and run.task.pk == task.pk and is_at_work:
                if task.is_stop_asked:
                    run.wish.set()
            elif not self._is_ending.is_set():
                if run is not None:
                    run.thread.join()  # it has written its end, and has nothing else to do
                self._runs[task.kind] = Run(task, self._is_ending)
                self._runs[task.kind].thread.start()

    def stop(self) -> bool:
        """End, putting back what runs; False when something would not end in time."""
        self._is_ending.set()
        end = time.monotonic() + STOP_SECONDS
        for run in list(self._runs.values()):
            run.thread.join(max(0.0, end - time.monotonic()))
        return not any(run.thread.is_alive() for run in self._runs.values())
