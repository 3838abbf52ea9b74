"""Explain who may do what, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec

from buckets.explaining import explain_access
from buckets.services import BucketError
from iam.errors import IdentityError, InvalidIdentity
from iam.explanation import Outcome
from s4project.commands import EXIT_USAGE, StoreCommand, table

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from iam.explanation import Explanation

EXIT_CODES: Final = {Outcome.ALLOWED: 0, Outcome.DENIED: 1, Outcome.DEPENDS: 3}


class Command(StoreCommand):
    help = (
        "Explain whether somebody may do something, why, and what to change. Ends with 0: allowed; "
        "1: denied; 3: it depends on whose the upload is; 2: the question means nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--key", metavar="ACCESS_KEY", help="ask as this access key, not a user")
        who.add_argument("--anonymous", action="store_true", help="ask as who does not sign")
        parser.add_argument(
            "words",
            nargs="+",
            metavar="[USER] ACTION RESOURCE",
            help="such as: ann s3:GetObject photos/a.jpg; no user with --key or --anonymous",
        )
        parser.add_argument(
            "--context",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="what a request says of itself, such as aws:SourceIp=10.0.0.1; several times",
        )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer the question; the command ends by what the answer is."""
        try:
            found = self._explain(options)
        except (IdentityError, BucketError) as error:
            self._refuse(EXIT_USAGE, str(error))
        self._code = EXIT_CODES[found.outcome]
        answer: dict[str, Any] = msgspec.to_builtins(found)
        return answer

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self._code:
            self.stdout.flush()
            sys.exit(self._code)

    def _explain(self, options: dict[str, Any]) -> Explanation:
        words: list[str] = options["words"]
        is_user = not (options["key"] or options["anonymous"])
        if len(words) != 2 + is_user:
            raise InvalidIdentity(
                "", "Say USER ACTION RESOURCE, or --key KEY or --anonymous and ACTION RESOURCE."
            )
        action, resource = words[-2:]
        return explain_access(
            action,
            resource,
            username=words[0] if is_user else None,
            access_key=options["key"],
            context=dict(map(_pair, options["context"])),
        )

    def describe(self, answer: Any) -> str:
        lines = [f"{answer['outcome'].upper()}: {answer['why']}"]
        if answer["advice"]:
            lines.append(f"To change that: {answer['advice']}")
        if answer["heard"]:
            rows = [
                [heard["effect"], heard["statement"] or "-", heard["source"]]
                for heard in answer["heard"]
            ]
            lines += ["", table([["SAYS", "STATEMENT", "POLICY"], *rows])]
        return "\n".join(lines)


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark:
        raise InvalidIdentity("context", f"{text} is no KEY=VALUE.")
    return key, value
