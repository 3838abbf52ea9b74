"""Cross-origin requests judged by a bucket's rules: which headers a browser is given. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html; what stands there differently, as
S3 was recorded to answer it (RECORDED): github.com/localstack/localstack,
tests/aws/services/s3/test_s3_cors.snapshot.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buckets.configuration import CorsRule
    from s3api.http.request import Request

METHODS: Final = ("GET", "PUT", "POST", "DELETE", "HEAD")
ANY: Final = "*"
# Headers that a page may ask for at once. More have no good reason: thousands, each held against a
# thousand patterns, take seconds of everybody's time. S4's own bound.
NAMES_MAX: Final = 100
VARY: Final = (
    b"Vary",
    b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
)
Headers = list[tuple[bytes, bytes]]


def cors_headers(rules: Iterable[CorsRule], request: Request) -> Headers:
    """Write what a reply tells a browser of the page's rights; nothing where no rule matches.

    The same for a preflight and for the request itself, where Access-Control-Request-Method and
    -Headers count too if they are sent (RECORDED). The first rule that matches decides.
    """
    origin = request.header("origin")
    method = request.header("access-control-request-method") or request.method
    names = requested_names(request)
    if not origin or len(names) > NAMES_MAX:
        return []
    for rule in rules:
        if _matches(rule, origin, method, names):
            return _write(rule, origin, names)
    return []


def requested_names(request: Request) -> list[str]:
    """List the names in Access-Control-Request-Headers, in lower case, in the order sent."""
    value = request.header("access-control-request-headers") or ""
    return [name for item in value.split(",") if (name := item.strip().lower())]


def _matches(rule: CorsRule, origin: str, method: str, names: list[str]) -> bool:
    """Tell whether a rule allows it all; header names have no case, the rest does."""
    if method not in rule.allowed_methods:
        return False
    if not any(_fits(pattern, origin) for pattern in rule.allowed_origins):
        return False
    allowed = [pattern.lower() for pattern in rule.allowed_headers] if names else []
    return all(any(_fits(pattern, name) for pattern in allowed) for name in names)


def _fits(pattern: str, text: str) -> bool:
    """Compare with a pattern in which one `*` stands for anything, or for nothing."""
    before, star, after = pattern.partition(ANY)
    if not star:
        return text == pattern
    return (
        len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
    )


def _write(rule: CorsRule, origin: str, names: list[str]) -> Headers:
    """Write the headers of a rule that matched; to any origin at all no credentials are allowed."""
    if ANY in rule.allowed_origins:
        headers = [(b"Access-Control-Allow-Origin", b"*")]
    else:
        headers = [
            (b"Access-Control-Allow-Origin", origin.encode("latin-1")),
            (b"Access-Control-Allow-Credentials", b"true"),
        ]
    headers.append((b"Access-Control-Allow-Methods", ", ".join(rule.allowed_methods).encode()))
    if names:
        headers.append((b"Access-Control-Allow-Headers", ", ".join(names).encode("latin-1")))
    if rule.expose_headers:
        headers.append((b"Access-Control-Expose-Headers", ", ".join(rule.expose_headers).encode()))
    if rule.max_age_seconds is not None:
        headers.append((b"Access-Control-Max-Age", b"%d" % rule.max_age_seconds))
    headers.append(VARY)
    return headers
