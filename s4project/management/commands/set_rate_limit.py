"""Limit how many requests a second a bucket gets, or an access key may sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buckets.services import find_bucket, set_rate
from iam import services
from iam.errors import InvalidIdentity
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Limit how many requests a second a bucket gets, or an access key may sign."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--bucket", metavar="NAME", help="requests for a bucket")
        whose.add_argument("--key", metavar="ACCESS_KEY", help="requests signed with a key")
        limit = parser.add_mutually_exclusive_group(required=True)
        limit.add_argument("--per-second", metavar="N", help="more get 503 SlowDown; 0: no limit")
        limit.add_argument("--default", action="store_true", help="as the settings say")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        rate = None if options["default"] else wanted(options["per_second"])
        bucket, key = options["bucket"], options["key"]
        if bucket is not None:
            set_rate(find_bucket(bucket).id, rate)
        else:
            services.set_key_rate(key, rate)
        kind = "key" if bucket is None else "bucket"
        return {"kind": kind, "name": key or bucket, "requests_per_second": rate}

    def describe(self, answer: Any) -> str:
        whose, rate = f"The {answer['kind']} {answer['name']}", answer["requests_per_second"]
        if rate is None:
            return f"{whose} has no limit of its own: the settings say what it may."
        return f"{whose} has {f'a limit of {rate} requests per second' if rate else 'no limit'}."


def wanted(text: str) -> int:
    """Read a limit; InvalidIdentity."""
    try:
        return int(text)
    except ValueError as error:
        reason = f"{text} is no number of requests per second."
        raise InvalidIdentity("requests_per_second", reason) from error
