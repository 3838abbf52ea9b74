"""Bound what a bucket, or all the buckets of a user together, may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buckets.services import find_bucket, set_quota
from buckets.usage import holding_of_state, holding_of_user
from iam import services
from iam.errors import InvalidIdentity
from iam.quotas import Quota
from s4project.api.quotas import holding_row
from s4project.commands import StoreCommand
from s4project.setting_values import parse_size

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Bound what a bucket or a user may hold. A bound below what is held refuses additions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--bucket", metavar="NAME", help="a bucket's")
        whose.add_argument("--user", metavar="NAME", help="what all buckets of a user hold")
        parser.add_argument("--bytes", metavar="SIZE", help="such as 500GB or 1048576")
        parser.add_argument("--objects", metavar="N", help="older versions and markers count too")
        parser.add_argument(
            "--warn-percent", metavar="N", help="warn from so much of a bound on (default: 80)"
        )
        parser.add_argument("--none", action="store_true", help="take the quota off")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        quota = wanted(options)
        if options["bucket"] is not None:
            set_quota(find_bucket(options["bucket"]).id, quota)
            return holding_row(holding_of_state(find_bucket(options["bucket"])))
        services.set_user_quota(services.find_user(options["user"]).pk, quota)
        return holding_row(holding_of_user(services.find_user(options["user"])))

    def describe(self, answer: Any) -> str:
        whose = f"The {answer['kind']} {answer['name']}"
        used = f"{answer['used_bytes']} bytes and {answer['used_objects']} objects are used"
        if answer["quota"] is None:
            return f"{whose} has no quota; {used}."
        bounds = (("bytes", answer["quota"]["bytes"]), ("objects", answer["quota"]["objects"]))
        may = " and ".join(f"{bound} {measure}" for measure, bound in bounds if bound)
        return f"{whose} may hold {may}; {used} ({answer['percent']} %, {answer['state']})."


def wanted(options: dict[str, Any]) -> Quota | None:
    """Read the quota that was asked for; InvalidIdentity."""
    names = ("bytes", "objects", "warn_percent")
    given = {name: options[name] for name in names if options[name] is not None}
    if options["none"]:
        if given:
            raise InvalidIdentity("none", "Either a quota is taken off, or bounds are given.")
        return None
    bounds = {}
    for name, text in given.items():
        try:
            bounds[name] = parse_size(text) if name == "bytes" else int(text)
        except ValueError as error:
            raise InvalidIdentity(name, f"{text} is no such number.") from error
    return Quota(**bounds)
