"""`manage.py verify`: prove that the store agrees with itself; exit code 1 when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s4project.care_command import Answer, CareCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import StorageEngine


class Command(CareCommand):
    help = (
        "Counts every reference and total of the index again and reads every blob. "
        "Changes nothing but what is known of damaged blobs; the server may be running. "
        "Exit code 1 when there are problems."
    )
    counts = "blobs read"

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        del should_stop
        found = []
        for problem in engine.verify(progress):
            found.append(problem)
            if not options["json"]:
                progress.end()
                self.stdout.write(self.style.ERROR(problem))
        return Answer({}, [] if found else [self.style.SUCCESS("No problems.")], found)

    def show(self, answer: Answer) -> None:
        """Say the rest: problems were told as they were found."""
        for line in answer.lines:
            self.stdout.write(line)
