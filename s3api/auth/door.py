"""The door: whichever way a request is signed, it is verified here.

Forms alone sign elsewhere, in their fields (`forms`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3api.auth import sigv2, sigv4

if TYPE_CHECKING:
    from iam.keyring import Keyring
    from s3api.auth.sigv4 import Identity
    from s3api.http.request import Request
    from s3api.http.target import Target


def identify(
    request: Request,
    target: Target,
    keyring: Keyring,
    *,
    region: str,
    now: float,
    allows_version_2: bool,
) -> Identity:
    """Verify a request's signature; every refusal is an S3Error with AWS's code.

    The x-amz-* parameters of a query count as headers from here on, whoever signed and where: so
    an operation is not asked for in one place and judged by policies in the other.
    """
    if allows_version_2 and sigv2.is_claimed(request):
        identity = sigv2.authenticate(request, target, keyring, now=now)
    else:
        identity = sigv4.authenticate(request, keyring, region=region, now=now)
    if request.query.raw:
        request.adopt_query_headers()
    return identity
