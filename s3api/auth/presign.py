"""Writes presigned URLs: what `sigv4` verifies, for links that are shared.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from s3api.auth.signing import ALGORITHM, SERVICE, TERMINAL, signing_key
from s3api.http import dates
from s3api.http.percent import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

# What browsers and proxies take out of a path (RFC 3986, 5.2.4), unless its slashes are escaped.
SHORTENED: Final = re.compile(r"(?:^|/)\.{0,2}/|(?:^|/)\.{1,2}$")


class Signer(NamedTuple):
    """Who signs, where, and when (epoch seconds)."""

    access_key: str
    secret_key: str
    region: str
    now: int


def presign(  # noqa: PLR0913  # what a URL says
    signer: Signer,
    method: str,
    base: str,
    path: str,
    expires_seconds: int,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Sign a URL below `base`, such as "https://s3.example.org", for a path as it is unescaped.

    `headers` must be sent with the request as they are given here.
    """
    stamp = dates.format_iso_basic(signer.now)
    date = stamp.partition("T")[0]
    scope = f"{date}/{signer.region}/{SERVICE}/{TERMINAL}"
    lines = {"host": urlsplit(base).netloc} | {
        name.lower(): " ".join(value.split()) for name, value in (headers or {}).items()
    }
    names = ";".join(sorted(lines))
    parameters = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{signer.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_seconds),
        "X-Amz-SignedHeaders": names,
        **(query or {}),
    }
    pairs = sorted((encode(name), encode(value)) for name, value in parameters.items())
    written = b"&".join(name + b"=" + value for name, value in pairs)
    escaped = b"/".join(map(encode, path.split("/")))
    head = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines))
    canonical = b"\n".join(
        (method.encode(), escaped, written, head.encode(), names.encode(), b"UNSIGNED-PAYLOAD")
    )
    to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(canonical).hexdigest()}"
    key = signing_key(signer.secret_key, date, signer.region)
    signature = key.sign(to_sign.encode())
    # Signed is what a path means, so that it may be written in this way as well.
    place = b"/" + encode(path[1:]) if SHORTENED.search(path[1:]) else escaped
    return f"{base}{place.decode()}?{written.decode()}&X-Amz-Signature={signature.decode()}"
