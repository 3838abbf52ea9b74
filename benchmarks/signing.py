"""Signs requests as S3 clients do: SigV4 by header, with the payload left unsigned.

Made for bulk: a load generator cannot sign while it measures, so thousands of requests that differ
in one path each are signed beforehand. Knows nothing of S4.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import quote

SIGNED_HEADERS = "host;x-amz-content-sha256;x-amz-date"
PAYLOAD = "UNSIGNED-PAYLOAD"


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
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return cls(host, access_key, secret_key, region, stamp)

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.stamp[:8]}/{self.region}/s3/aws4_request"

    def _key(self) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key

    def signatures(self, method: str, paths: list[str], query: str = "") -> list[str]:
        """Sign one request per path; paths and query are already percent-encoded and sorted."""
        key = self._key()
        head = f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n"
        tail = (
            f"\n{query}\nhost:{self.host}\nx-amz-content-sha256:{PAYLOAD}\n"
            f"x-amz-date:{self.stamp}\n\n{SIGNED_HEADERS}\n{PAYLOAD}"
        )
        return [
            hmac.digest(key, (head + _sha256(f"{method}\n{path}{tail}")).encode(), "sha256").hex()
            for path in paths
        ]

    def headers(self, signature: str) -> dict[str, str]:
        """List the headers that carry a signature."""
        return {
            "Host": self.host,
            "X-Amz-Date": self.stamp,
            "X-Amz-Content-Sha256": PAYLOAD,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
                f"SignedHeaders={SIGNED_HEADERS}, Signature={signature}"
            ),
        }

    def sign(self, method: str, path: str, query: str = "") -> dict[str, str]:
        """Sign one request; answer its headers."""
        path = quote(path, safe="/-_.~")
        return self.headers(self.signatures(method, [path], query)[0])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
