"""Cross-origin access: Get, Put and DeleteBucketCors, and the preflight that browsers send.

The refusals are those S3 was recorded to give: github.com/localstack/localstack,
tests/aws/services/s3/test_s3_cors.snapshot.json, and versity/versitygw, issues 1863 and 1870 and
tests/integration/OPTIONS.go. What a reply to any other request carries is `s3api.app`'s affair.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from buckets.configuration import CorsRule
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.cors import ANY, METHODS, cors_headers, requested_names

if TYPE_CHECKING:
    from s3api.context import Call

RULES_MAX: Final = 100
ID_CHARACTERS_MAX: Final = 255  # API_CORSRule
HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]*")  # RFC 9110 5.6.2, or nothing
NOT_ALLOWED: Final = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of "
    "Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are "
    "not whitelisted by the resource's CORS spec."
)


# --- the preflight ----------------------------------------------------------------------------


async def options_object(call: Call) -> Answer:
    """Tell a browser what a page of another origin may do; nobody signs that question.

    Whether there is such a key is not looked at. The answer's headers are those of any reply to
    this origin, and `s3api.app` writes them.
    """
    request = call.request
    if not request.header("origin"):
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    method = request.header("access-control-request-method")
    if method is not None and method not in METHODS:
        raise _bad_method(method)
    for name in requested_names(request):
        if not HEADER_NAME.fullmatch(name):
            message = f'Access-Control-Request-Headers "{name}" contains invalid character.'
            raise S3Error("BadRequest", message)
    bucket = call.store.snapshots.registry.find(call.target.bucket or "")
    if bucket is None:
        raise _forbidden("CORSResponse: Bucket not found", method)
    if not bucket.configuration.cors:
        raise _forbidden("CORSResponse: CORS is not enabled for this bucket.", method)
    if method is None:
        raise _bad_method("null")
    if not cors_headers(bucket.configuration.cors, request):
        kind = "BUCKET" if call.target.key is None else "OBJECT"
        raise _forbidden(NOT_ALLOWED, method, kind)
    return Answer()


def _bad_method(method: str) -> S3Error:
    return S3Error("BadRequest", f"Invalid Access-Control-Request-Method: {method}")


def _forbidden(message: str, method: str | None, kind: str = "BUCKET") -> S3Error:
    return S3Error("AccessForbidden", message, Method=method or "OPTIONS", ResourceType=kind)


# --- the configuration ------------------------------------------------------------------------


async def get_bucket_cors(call: Call) -> Answer:
    """Answer the bucket's rules; none is NoSuchCORSConfiguration."""
    rules = call.bucket.configuration.cors
    if not rules:
        raise S3Error("NoSuchCORSConfiguration", BucketName=call.bucket.name)
    return Answer({"CORSRules": [_show(rule) for rule in rules]})


async def put_bucket_cors(call: Call) -> Answer:
    """Give the bucket other rules in place of those it has."""
    rules = call.arguments["CORSConfiguration"]["CORSRules"]
    if len(rules) > RULES_MAX:
        raise S3Error(
            "InvalidRequest",
            f"The number of CORS rules should not exceed allowed limit of {RULES_MAX} rules.",
        )
    await call.store.configure(call.bucket, cors=tuple(map(_read, rules)))
    return Answer()


async def delete_bucket_cors(call: Call) -> Answer:
    """Take all rules off the bucket."""
    await call.store.configure(call.bucket, cors=())
    return Answer()


def _show(rule: CorsRule) -> dict[str, Any]:
    return {
        "ID": rule.id,
        "AllowedHeaders": rule.allowed_headers,
        "AllowedMethods": rule.allowed_methods,
        "AllowedOrigins": rule.allowed_origins,
        "ExposeHeaders": rule.expose_headers,
        "MaxAgeSeconds": rule.max_age_seconds,
    }


def _read(document: dict[str, Any]) -> CorsRule:
    """Check one rule of a document; InvalidRequest, MalformedXML."""
    rule = CorsRule(
        allowed_origins=tuple(document["AllowedOrigins"]),
        allowed_methods=tuple(document["AllowedMethods"]),
        allowed_headers=tuple(document.get("AllowedHeaders", ())),
        expose_headers=tuple(document.get("ExposeHeaders", ())),
        max_age_seconds=document.get("MaxAgeSeconds"),
        id=document.get("ID"),
    )
    if rule.id is not None and len(rule.id) > ID_CHARACTERS_MAX:
        raise S3Error("MalformedXML")
    for origin in rule.allowed_origins:
        _check_wildcards("AllowedOrigin", origin)
    for method in rule.allowed_methods:
        if method not in METHODS:
            raise S3Error(
                "InvalidRequest",
                "Found unsupported HTTP method in CORS config. Unsupported method is " + method,
            )
    for name in rule.allowed_headers:
        _check_wildcards("AllowedHeader", name)
        _check_name("AllowedHeader", name)
    for name in rule.expose_headers:
        if ANY in name:
            raise S3Error(
                "InvalidRequest",
                f'ExposeHeader "{name}" contains wildcard. We currently do not support wildcard '
                "for ExposeHeader.",
            )
        _check_name("ExposeHeader", name)
    return rule


def _check_wildcards(element: str, text: str) -> None:
    if text.count(ANY) > 1:
        raise S3Error("InvalidRequest", f'{element} "{text}" can not have more than one wildcard.')


def _check_name(element: str, text: str) -> None:
    if not HEADER_NAME.fullmatch(text):
        raise S3Error("InvalidRequest", f'{element} "{text}" contains invalid character.')
