"""Browser forms as clients send them: Chromium's bytes, and others'."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tests.e2e.wire import write_head

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

BOUNDARY: Final = "----WebKitFormBoundaryzuW5nPZQFQCwQtg4"
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class Upload:
    """The file of a form."""

    data: bytes
    name: str | None = "photo.jpg"
    content_type: str | None = "image/jpeg"


def write_part(name: str, data: bytes, file_name: str | None, content_type: str | None) -> bytes:
    """Write a part as Chromium does."""
    said = "" if file_name is None else f'; filename="{file_name}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{said}\r\n'
    head += f"Content-Type: {content_type}\r\n" if content_type else ""
    return head.encode() + b"\r\n" + data + b"\r\n"


def write_form(
    fields: Mapping[str, str], upload: Upload, after: Mapping[str, str] | None = None
) -> bytes:
    """Write the body of a form."""
    parts = [write_part(name, value.encode(), None, None) for name, value in fields.items()]
    parts.append(write_part("file", upload.data, upload.name, upload.content_type))
    for name, value in (after or {"submit": "Upload to S4"}).items():
        parts.append(write_part(name, value.encode(), None, None))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(
    server: Server,
    target: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    pieces: Sequence[int] = (),
) -> Reply:
    """Send a form's body as a browser does, cut at some places if wanted."""
    lines = {
        "Host": server.caller.host,
        "Origin": "https://app.example.org",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    with server.caller.connect() as connection:
        connection.send(write_head("POST", target, lines | dict(headers or {}), len(body)))
        for start, end in zip([0, *pieces], [*pieces, len(body)], strict=True):
            connection.send(body[start:end])
        return connection.reply("POST")


def presigned(
    client: BaseClient, bucket: str, key: str, conditions: Sequence[Any] = (), /, **fields: str
) -> dict[str, str]:
    """Have boto3 sign a form; every field is allowed as it is, beside other conditions."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    allowed = [{name: value} for name, value in named.items()]
    made = client.generate_presigned_post(
        bucket, key, Fields=dict(named), Conditions=[*allowed, *conditions]
    )
    assert urlsplit(made["url"]).path == f"/{bucket}"
    return dict(made["fields"])


def policy(bucket: str, conditions: Sequence[Any], expiration: str = "2999-01-01T00:00:00Z") -> str:
    """Write a policy for any key of a bucket."""
    document = {
        "expiration": expiration,
        "conditions": [{"bucket": bucket}, ["starts-with", "$key", ""], *conditions],
    }
    return b64encode(json.dumps(document).encode()).decode()


def sha256_of(data: bytes) -> str:
    """Write a SHA-256 as x-amz-checksum-sha256 has it."""
    return b64encode(hashlib.sha256(data).digest()).decode()
