"""Take over users, groups, policies and access keys from MinIO's export of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from s4project.commands import EXIT_REFUSED, StoreCommand
from s4project.minio_export import import_export, read_export

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Make the users, groups, policies and keys of `mc admin cluster iam export`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help="the archive, ALIAS-iam-info.zip")

    def handle(self, *args: Any, **options: Any) -> None:
        self._has_problems = False
        super().handle(*args, **options)
        if self._has_problems:
            self.stdout.flush()
            sys.exit(EXIT_REFUSED)

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        report = import_export(read_export(options["file"]))
        self._has_problems = bool(report.problems)
        return {"made": dict(report.made), "problems": report.problems}

    def describe(self, answer: Any) -> str:
        lines = [f"{kind}: {', '.join(names)}" for kind, names in answer["made"].items()]
        lines += [f"NOT TAKEN OVER  {problem}" for problem in answer["problems"]]
        return "\n".join(lines or ["There was nothing to make."])
