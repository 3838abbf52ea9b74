"""Signs requests as S3 clients do: SigV4 by header, the payload unsigned unless told otherwise.

Made for bulk: a load generator cannot sign while it measures, so thousands of requests that differ
in one path each are signed beforehand. Knows nothing of S4.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAYLOAD = "UNSIGNED-PAYLOAD"
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests to one host with one key, all of one second (they hold for 15 minutes)."""

    host: str
    access_key: str
    secret_key: str
    region: str
    stamp: str  # 20261125T014500Z

    @classmethod
    def now(cls, host: str, access_key: str, secret_key: str, region: str = "us-east-1") -> Signer:
        """Make a signer whose requests are dated now."""
        return cls(host, access_key, secret_key, region, time.strftime(STAMP, time.gmtime()))

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.stamp[:8]}/{self.region}/s3/aws4_request"

    def _key(self) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key

    def signatures(
        self,
        method: str,
        paths: Sequence[str],
        query: str = "",
        payloads: Sequence[str] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Sign one request per path; paths and query are already percent-encoded and sorted.

        `payloads` are what x-amz-content-sha256 says of each; `more` are x-amz-* headers that all
        have, in order, each after x-amz-date.
        """
        key = self._key()
        head = f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n"
        added = "".join(f"{name}:{text}\n" for name, text in (more or {}).items())
        tail = f"\nx-amz-date:{self.stamp}\n{added}\n{signed_names(more)}\n"
        before = f"\n{query}\nhost:{self.host}\nx-amz-content-sha256:"
        return [
            hmac.digest(
                key,
                (head + _sha256(f"{method}\n{path}{before}{payload}{tail}{payload}")).encode(),
                "sha256",
            ).hex()
            for path, payload in zip(paths, payloads or repeat(PAYLOAD), strict=False)
        ]

    def headers(
        self, signature: str, payload: str = PAYLOAD, more: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """List the headers that carry a signature; it stands at the end of the last."""
        return {
            "Host": self.host,
            "X-Amz-Date": self.stamp,
            "X-Amz-Content-Sha256": payload,
            **(more or {}),
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
                f"SignedHeaders={signed_names(more)}, Signature={signature}"
            ),
        }

    def sign(self, method: str, path: str, query: str = "") -> dict[str, str]:
        """Sign one request; answer its headers."""
        path = quote(path, safe="/-_.~")
        return self.headers(self.signatures(method, [path], query)[0])


def signed_names(more: Mapping[str, str] | None) -> str:
    """Name the headers that are signed."""
    return ";".join(["host", "x-amz-content-sha256", "x-amz-date", *(more or {})])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
