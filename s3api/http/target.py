"""Which bucket and key a request addresses, by path or by virtual host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a request addresses; `resource` is the path as error replies print it."""

    bucket: str | None
    key: str | None
    is_virtual_host: bool
    resource: str


def parse_target(host: str | None, raw_path: bytes, domains: str | None = None) -> Target:
    """Find bucket and key; `domains` are S4_DOMAIN's names, separated by commas.

    Raises S3Error: InvalidRequest (no Host), InvalidURI (bad percent or UTF-8), KeyTooLongError.
    """
    raise NotImplementedError
