"""Which bucket and key a request addresses, by path or by virtual host.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from s3api.errors import S3Error
from s3api.http import percent

KEY_BYTES_MAX: Final = 1024


class Target(msgspec.Struct, frozen=True, gc=False):
    """What a request addresses; `resource` is the path as error replies print it.

    `bucket` None is the service, `key` None the bucket itself.
    """

    bucket: str | None
    key: str | None
    is_virtual_host: bool
    resource: str


def parse_target(host: str | None, raw_path: bytes, domains: str | None = None) -> Target:
    """Find bucket and key; `domains` are S4_DOMAIN's names, separated by commas.

    Raises S3Error: InvalidRequest (no Host), InvalidURI (bad escape or UTF-8),
    InvalidBucketName (an empty one), KeyTooLongError.
    """
    if not host:
        raise S3Error("InvalidRequest", "Missing required header for this request: Host")
    if not raw_path.startswith(b"/"):
        raise S3Error("InvalidURI")
    # Decoded before it is split: an escaped slash signs like a plain one, so it must mean the same.
    path = percent.decode(raw_path)
    bucket = _bucket_of_host(host, domains) if domains else None
    if bucket is not None:
        return _target(bucket, path[1:], is_virtual_host=True)
    if path == "/":
        return Target(None, None, is_virtual_host=False, resource="/")
    bucket, _, key = path[1:].partition("/")
    return _target(bucket, key, is_virtual_host=False)


def _target(bucket: str, key: str, *, is_virtual_host: bool) -> Target:
    if not bucket:
        raise S3Error("InvalidBucketName", BucketName=bucket)
    if len(key) * 4 > KEY_BYTES_MAX:
        _check_key_length(key)
    return Target(bucket, key or None, is_virtual_host, f"/{bucket}/{key}" if key else f"/{bucket}")


def with_key(target: Target, key: str) -> Target:
    """Name a key in a bucket that is addressed; S3Error KeyTooLongError."""
    assert target.bucket is not None, "a key needs a bucket"
    return _target(target.bucket, key, is_virtual_host=target.is_virtual_host)


def _check_key_length(key: str) -> None:
    size = len(key.encode())
    if size > KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", Size=str(size), MaxSizeAllowed=str(KEY_BYTES_MAX))


@lru_cache(maxsize=8)
def _suffixes(domains: str) -> tuple[str, ...]:
    """List the configured domains with a leading dot, lower-case, longest first."""
    names = (name.strip().strip(".").lower() for name in domains.split(","))
    return tuple(sorted((f".{name}" for name in names if name), key=len, reverse=True))


def _bucket_of_host(host: str, domains: str) -> str | None:
    """Name the bucket that stands before a configured domain; None: the host names no bucket."""
    name = _without_port(host).rstrip(".").lower()
    for suffix in _suffixes(domains):
        if name == suffix[1:]:
            return None
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return None


def _without_port(host: str) -> str:
    """Cut the port off `name:port`, `v4:port` and `[v6]:port`."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
