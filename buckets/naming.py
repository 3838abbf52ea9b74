"""The rules for names of general purpose buckets. Pure: knows no Django and no bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

from __future__ import annotations

import re
from typing import Final

BUCKET_NAME_CHARACTERS_MIN: Final = 3
BUCKET_NAME_CHARACTERS_MAX: Final = 63

# [0-9] and fullmatch: \d would let other scripts' digits pass, "$" a final newline.
_CHARACTERS: Final = re.compile(r"[a-z0-9.-]+")
_IP_ADDRESS: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_RESERVED_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class InvalidBucketName(ValueError):  # noqa: N818  # AWS's name of the error
    """A name that no bucket may have; the text says why."""


def bucket_arn(name: str) -> str:
    """Write a bucket's Amazon resource name.

    >>> bucket_arn("photos")
    'arn:aws:s3:::photos'
    """
    return f"arn:aws:s3:::{name}"


def check_bucket_name(name: str) -> None:
    """Raise InvalidBucketName, with the reason, when `name` breaks a rule."""
    reason = _objection(name)
    if reason is not None:
        raise InvalidBucketName(reason)


def _objection(name: str) -> str | None:
    """Say which rule `name` breaks, in the order a reader would look."""
    if not BUCKET_NAME_CHARACTERS_MIN <= len(name) <= BUCKET_NAME_CHARACTERS_MAX:
        return "A bucket name has 3 to 63 characters."
    if not _CHARACTERS.fullmatch(name):
        return "A bucket name has only lower-case letters, digits, dots and hyphens."
    if name[0] in ".-" or name[-1] in ".-":
        return "A bucket name begins and ends with a letter or digit."
    if ".." in name:
        return "A bucket name has no two dots in a row."
    if ".-" in name or "-." in name:  # such a name is no host: AWS's SDKs and CloudTrail refuse it
        return "A bucket name has no hyphen next to a dot."
    if _IP_ADDRESS.fullmatch(name):
        return "A bucket name does not look like an IP address."
    if name.startswith(_RESERVED_PREFIXES):
        return f"The prefixes {', '.join(_RESERVED_PREFIXES)} are reserved."
    if name.endswith(_RESERVED_SUFFIXES):
        return f"The suffixes {', '.join(_RESERVED_SUFFIXES)} are reserved."
    return None
