"""AWS Signature Version 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iam.keyring import Credential, Keyring
    from s3api.http.payload import Payload
    from s3api.http.request import Request


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed (None: nobody, the request is anonymous) and what the body is said to be."""

    credential: Credential | None
    payload: Payload


def authenticate(
    request: Request, keyring: Keyring, *, region: str, now: float, allowed_skew: int = 900
) -> Identity:
    """Verify a request's signature; every refusal is an S3Error with AWS's code."""
    raise NotImplementedError
