"""A client that signs requests by the book, so that tests can then bend them.

Written against AWS's description of Signature Version 4 alone; it shares no code with the server.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from iam.keyring import Credential, Keyring, RoleName
from s3api.auth import authenticate
from tests.principals import principal
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s3api.auth import Identity
    from s3api.errors import S3Error
    from s3api.http.request import Request

EMPTY = hashlib.sha256(b"").hexdigest()
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = "20130524T000000Z"
NOW = 1_369_353_600.0
# AWS's GET example: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
EXAMPLE_SCOPE = f"{ACCESS_KEY}/20130524/us-east-1/s3/aws4_request"
EXAMPLE_AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={EXAMPLE_SCOPE},"
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
)
EXAMPLE_HEADERS = {
    "host": "examplebucket.s3.amazonaws.com",
    "range": "bytes=0-9",
    "x-amz-content-sha256": EMPTY,
    "x-amz-date": DATE,
}


PRINCIPAL = principal(RoleName.WRITER)
CREDENTIAL = Credential(ACCESS_KEY, SECRET_KEY, PRINCIPAL)
KEYRING = Keyring([CREDENTIAL], [PRINCIPAL])


def hmac_of(key: bytes, text: str) -> bytes:
    """Authenticate a text."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@dataclass(frozen=True)
class Client:
    """One request to be signed; every part can be exchanged before and after signing."""

    method: str = "GET"
    host: str = "examplebucket.s3.amazonaws.com"
    path: str = "/"
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    payload: str | None = EMPTY
    date: str | None = DATE
    scope: str = "20130524/us-east-1/s3/aws4_request"
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    unsigned: frozenset[str] = frozenset()
    body: tuple[bytes, ...] = ()

    def but(self, **changes: object) -> Client:
        """Change parts before signing."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def all_headers(self) -> dict[str, str]:
        """List the headers that are sent."""
        headers = {"host": self.host, **self.headers}
        if self.date is not None:
            headers["x-amz-date"] = self.date
        if self.payload is not None:
            headers["x-amz-content-sha256"] = self.payload
        return headers

    def key(self) -> bytes:
        """Derive the signing key."""
        key = b"AWS4" + self.secret_key.encode()
        for part in self.scope.split("/"):
            key = hmac_of(key, part)
        return key

    def signature(self, query: str, headers: dict[str, str], payload: str) -> str:
        """Sign a request made of these parts."""
        names = sorted(name for name in headers if name not in self.unsigned)
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
        canonical = "\n".join((self.method, self.path, query, lines, ";".join(names), payload))
        stamp = self.query.get("X-Amz-Date", self.date) or DATE
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return hmac_of(self.key(), f"AWS4-HMAC-SHA256\n{stamp}\n{self.scope}\n{digest}").hex()

    def sign(self) -> Request:
        """Sign by header."""
        headers = self.all_headers()
        query = encode(self.query.items())
        signature = self.signature(query, headers, self.payload or EMPTY)
        names = ";".join(sorted(name for name in headers if name not in self.unsigned))
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope},"
            f"SignedHeaders={names},Signature={signature}"
        )
        return self.request(query, headers)

    def presign(self, expires: str = "86400") -> Request:
        """Sign by query; the body is UNSIGNED-PAYLOAD unless a header says otherwise."""
        bare = self.but(date=None, payload=None)
        headers = bare.all_headers()
        names = ";".join(sorted(name for name in headers if name not in self.unsigned))
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{self.scope}",
            "X-Amz-Date": self.date or DATE,
            "X-Amz-Expires": expires,
            "X-Amz-SignedHeaders": names,
        } | self.query
        signer = bare.but(query=parameters)
        payload = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        query = encode(parameters.items())
        signature = signer.signature(query, headers, payload)
        return self.request(f"{query}&X-Amz-Signature={signature}", headers)

    def request(self, query: str, headers: dict[str, str]) -> Request:
        """Build the request as a server would see it."""
        return make_request(self.method, self.path.encode(), query.encode(), headers, self.body)


def encode(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode a query canonically: sorted by name, which is not the order of the lines as text."""
    encoded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def verify(request: Request, now: float = NOW, region: str = "us-east-1") -> Identity:
    """Authenticate as the server does, at the moment of AWS's examples."""
    return authenticate(request, KEYRING, region=region, now=now)


def refused(request: Request, now: float = NOW, region: str = "us-east-1") -> S3Error:
    """Answer the refusal of a request that must not pass."""
    refusal = refusal_of(verify, request, now, region)
    assert refusal is not None
    return refusal


def example(authorization: str = EXAMPLE_AUTHORIZATION) -> Request:
    """Build AWS's GET example with another Authorization header."""
    headers = EXAMPLE_HEADERS | {"authorization": authorization}
    return make_request("GET", b"/test.txt", b"", headers)
