"""Policies to begin with, of the bucket on whose page they are offered."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext_lazy as _

NAME: Final = "BUCKET"  # in the place of the bucket's name


class Template(NamedTuple):
    """A policy, under a title; `words` say what it is for."""

    title: str
    words: Any
    statements: list[dict[str, Any]]


def filled(template: Template, bucket: str) -> str:
    """Write a template for a bucket."""
    document = {"Version": "2012-10-17", "Statement": template.statements}
    return json.dumps(document, indent=2).replace(f":::{NAME}", f":::{bucket}")


ARN: Final = f"arn:aws:s3:::{NAME}"
EVERYBODY: Final = {"Principal": "*"}
LIST: Final = {
    "Sid": "EverybodyLists",
    "Effect": "Allow",
    **EVERYBODY,
    "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
    "Resource": ARN,
}
READ: Final = {
    "Sid": "EverybodyReads",
    "Effect": "Allow",
    **EVERYBODY,
    "Action": "s3:GetObject",
    "Resource": f"{ARN}/*",
}
WRITE: Final = {
    "Sid": "EverybodyWrites",
    "Effect": "Allow",
    **EVERYBODY,
    "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
    "Resource": f"{ARN}/*",
}

# The parts of an upload have no condition, and make no object (conditional-writes-enforce.html).
UNCONDITIONAL: Final = {
    "Null": {"s3:if-none-match": "true"},
    "Bool": {"s3:ObjectCreationOperation": "true"},
}


def _deny(sid: str, condition: dict[str, Any], action: str = "s3:*") -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        **EVERYBODY,
        "Action": action,
        "Resource": [ARN, f"{ARN}/*"] if action == "s3:*" else f"{ARN}/*",
        "Condition": condition,
    }


TEMPLATES: Final = (
    Template("public-read", _("Everybody reads objects whose name he knows"), [READ]),
    Template("public-list", _("Everybody lists and reads"), [LIST, READ]),
    Template("drop-box", _("Everybody writes, nobody reads: a drop box"), [WRITE]),
    Template(
        "networks",
        _("Everybody in these networks lists and reads"),
        [
            each | {"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}}
            for each in (LIST, READ)
        ],
    ),
    Template(
        "tls",
        _("Nothing without TLS"),
        [_deny("OnlyOverTls", {"Bool": {"aws:SecureTransport": "false"}})],
    ),
    Template(
        "no-overwrite",
        _("What is there is not overwritten"),
        [_deny("OnlyNewObjects", UNCONDITIONAL, "s3:PutObject")],
    ),
)
