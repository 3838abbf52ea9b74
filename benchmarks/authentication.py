"""What a signature costs: the CPU time of finding out who sends one request.

    python benchmarks/authentication.py [--rounds N]

Each case signs requests as botocore does, one for each key, and verifies them as the server does,
from their headers to the identity; reading these, and what the caller may, are not in it. The
figures are microseconds of this process for one request.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s4project.settings")

from botocore.auth import HmacV1Auth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from iam.keyring import Credential, Keyring, Principal
from s3api.auth import identify
from s3api.http.request import Request
from s3api.http.target import parse_target

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1:9000"
ACCESS_KEY, SECRET_KEY, REGION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRf", "us-east-1"
KEYS = Credentials(ACCESS_KEY, SECRET_KEY)
AGENT = {"User-Agent": "Boto3/1.40 md/Botocore#1.40 os/linux lang/python#3.11", "Accept": "*/*"}
STREAM = {
    "Content-Type": "application/octet-stream",
    "Content-Encoding": "aws-chunked",
    "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "X-Amz-Decoded-Content-Length": "1024",
    "X-Amz-Sdk-Checksum-Algorithm": "CRC32",
    "X-Amz-Trailer": "x-amz-checksum-crc32",
}


def by_header(request: AWSRequest) -> None:
    """Sign in the header."""
    S3SigV4Auth(KEYS, "s3", REGION).add_auth(request)


def by_query(request: AWSRequest) -> None:
    """Sign a URL."""
    S3SigV4QueryAuth(KEYS, "s3", REGION, expires=3600).add_auth(request)


def by_version_2(request: AWSRequest) -> None:
    """Sign in the header, in the old way."""
    HmacV1Auth(KEYS).add_auth(request)


CASES: dict[str, tuple[Callable[[AWSRequest], None], str, dict[str, str]]] = {
    "a GET, signed in its header": (by_header, "GET", {}),
    "a PUT with a trailer, as SDKs send it": (by_header, "PUT", STREAM),
    "a presigned GET": (by_query, "GET", {}),
    "a GET, signed with Version 2": (by_version_2, "GET", {}),
}


async def _receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def scope_of(
    sign: Callable[[AWSRequest], None], method: str, path: str, headers: dict[str, str]
) -> dict[str, Any]:
    """Sign a request, and show it as the server receives it."""
    signed = AWSRequest(method, f"http://{HOST}{path}", AGENT | headers)
    sign(signed)
    sent = {"Host": HOST} | dict(signed.headers.items())
    return {
        "method": method,
        "scheme": "http",
        "raw_path": path.encode(),
        "query_string": signed.url.partition("?")[2].encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }


def measure(
    sign: Callable[[AWSRequest], None], method: str, headers: dict[str, str], rounds: int
) -> float:
    """Answer the microseconds of an authentication."""
    user = Principal(1, "bob", "b" * 64, "bob", "", None, is_root=False, account_id="1")
    keyring = Keyring([Credential(ACCESS_KEY, SECRET_KEY, user)], [user])
    scopes = [scope_of(sign, method, f"/b/home/{each:06d}", headers) for each in range(rounds)]
    best = float("inf")
    for _ in range(5):
        asked = [Request(scope, _receive) for scope in scopes]
        targets = [parse_target(HOST, request.raw_path) for request in asked]
        now, started = time.time(), time.process_time()
        for request, target in zip(asked, targets, strict=True):
            identity = identify(
                request,
                target,
                keyring,
                region=REGION,
                now=now,
                allows_version_2=sign is by_version_2,
            )
            assert identity.credential is not None
        best = min(best, time.process_time() - started)
    return best / rounds * 1e6


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    for name, (sign, method, headers) in CASES.items():
        print(f"{name:40} {measure(sign, method, headers, rounds):8.1f} us")


if __name__ == "__main__":
    main()
