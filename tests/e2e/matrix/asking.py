"""Requests as a caller of the matrix sends them: written by botocore, signed in headers or URL."""

from __future__ import annotations

import hashlib
import json
import re
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import botocore.session
from botocore.serialize import create_serializer

from tests.e2e.posting import BOUNDARY, Upload, write_form
from tests.e2e.signing import Signer, stamp_at
from tests.e2e.wire import Connection, ConnectionEnded, path_of, write_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.wire import Reply

MODEL: Final = botocore.session.Session().get_service_model("s3")
SERIALIZER: Final = create_serializer("rest-xml")
WORD: Final = re.compile(r"\{(\w+)\}")
# What differs each time.
PASSING: Final = re.compile(rb"<(RequestId|HostId|Expires|ServerTime)>[^<]*</\1>")
FORM_FIELDS: Final = {
    "Key": "key",
    "Tagging": "tagging",
    "ACL": "acl",
    "ObjectLockMode": "x-amz-object-lock-mode",
    "ObjectLockRetainUntilDate": "x-amz-object-lock-retain-until-date",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
}
MINUTE_SECONDS: Final = 60
DAY_SECONDS: Final = 86_400


class Sent(NamedTuple):
    """A request before it is signed."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def fill(value: Any, words: Mapping[str, str]) -> Any:
    """Write words in the places of `{word}`, however deep."""
    if isinstance(value, str):
        return WORD.sub(lambda match: words[match[1]], value)
    if isinstance(value, dict):
        return {name: fill(inner, words) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, words) for inner in value]
    return value


def md5(body: bytes) -> str:
    """Compute a Content-MD5."""
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def write(operation: str, params: dict[str, Any]) -> Sent:
    """Write the request of an operation as AWS's SDK does."""
    if operation == "OptionsObject":
        asked = {"origin": "https://app.example", "access-control-request-method": "GET"}
        return Sent("OPTIONS", path_of(params["Bucket"], params["Key"]), asked, b"")
    model = MODEL.operation_model(operation)
    made = SERIALIZER.serialize_to_request(params, model)
    query = urlencode(made["query_string"], quote_via=quote, safe="~")
    path, _, flag = made["url_path"].partition("?")
    query = "&".join(part for part in (flag, query) if part)
    headers = {name.lower(): value for name, value in made["headers"].items()}
    body = made["body"]
    if body:
        headers["content-md5"] = md5(body)
    return Sent(made["method"], f"{path}?{query}" if query else path, headers, body)


def write_post(signer: Signer | None, params: dict[str, Any], *, is_over: bool) -> Sent:
    """Write a browser's form, signed unless nobody sends it; perhaps its time is over."""
    fields = {name: str(params[member]) for member, name in FORM_FIELDS.items() if member in params}
    fields["content-md5"] = md5(params["Body"])
    if signer is not None:
        stamp = stamp_at(time.time())
        fields |= {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": f"{signer.access_key}/{signer.scope(stamp)}",
            "x-amz-date": stamp,
        }
        conditions = [{name: value} for name, value in fields.items()]
        document = {
            "expiration": f"{1999 if is_over else 2999}-01-01T00:00:00Z",
            "conditions": [*conditions, {"bucket": params["Bucket"]}],
        }
        fields["policy"] = b64encode(json.dumps(document).encode()).decode()
        fields["x-amz-signature"] = signer.signature(stamp, fields["policy"])
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    if "IfMatch" in params:
        headers["if-match"] = params["IfMatch"]
    body = write_form(fields, Upload(params["Body"]))
    return Sent("POST", path_of(params["Bucket"]), headers, body)


class Line:
    """One connection to the server, opened anew where it has ended."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.host = f"{address[0]}:{address[1]}"
        self._connection: Connection | None = None

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()

    def signed(self, signer: Signer, sent: Sent) -> Reply:
        """Send a request signed in its headers."""
        lines = {"host": self.host, **sent.headers}
        digest = hashlib.sha256(sent.body).hexdigest()
        return self.give(sent, signer.sign(sent.method, sent.target, lines, digest).headers)

    def unsigned(self, sent: Sent) -> Reply:
        """Send a request that nobody signed."""
        return self.give(sent, {"host": self.host, **sent.headers})

    def linked(self, signer: Signer, sent: Sent, *, is_over: bool = False) -> Reply:
        """Send a request by a presigned URL, perhaps by one whose time is over."""
        lines = {"host": self.host, **sent.headers}
        stamp = stamp_at(time.time() - DAY_SECONDS * is_over)
        target = signer.presign(sent.method, sent.target, lines, stamp, MINUTE_SECONDS)
        return self.give(sent._replace(target=target), lines)

    def give(self, sent: Sent, headers: dict[str, str]) -> Reply:
        """Send a request as it is."""
        length = len(sent.body) if sent.body or sent.method in {"PUT", "POST"} else None
        data = write_head(sent.method, sent.target, headers, length) + sent.body
        for _ in range(2):
            connection = self._connection or Connection(self._address)
            self._connection = None
            try:
                connection.send(data)
                reply = connection.reply(sent.method)
            except ConnectionEnded:
                continue  # it was idle for too long
            if not reply.ends_connection:
                self._connection = connection
            return reply
        raise AssertionError(f"no reply to {sent.method} {sent.target}")


def answer(reply: Reply) -> tuple[int, str]:
    """Say a reply in short: its status and code; what a list of keys says of the first of them."""
    if reply.status == 200 and b"<DeleteResult" in reply.body and reply.code:
        return 403 if reply.code == "AccessDenied" else reply.status, reply.code
    return reply.status, reply.code


def telling(reply: Reply, bucket: str) -> tuple[int, bytes]:
    """Answer what a reply says, without what differs each time and the bucket's name."""
    return reply.status, PASSING.sub(b"", reply.body).replace(bucket.encode(), b"BUCKET")
