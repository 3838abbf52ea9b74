"""PostObject: a browser's form, which is PutObject with fields in the place of headers.

`open_form` goes before everything: who asks, and for which key, stands in the form.
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from s3api.auth import authenticate_form, check_policy, missing_field, refuse_other_claims
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.encoded_words import encode_words
from s3api.http.form import Form, read_form
from s3api.http.query import Query
from s3api.http.target import with_key
from s3api.operations.attributes import check_expected_owner
from s3api.operations.put import put_object
from s3api.operations.tags import OBJECT_TAGS, read_tag_set
from s3api.protocol import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s3api.auth import Identity
    from s3api.context import Call, Store
    from s3api.http.request import Request
    from s3api.http.target import Target

# What of the request itself still counts: where it went, who sent it, and conditions, which no form
# has to allow: they only forbid.
KEPT_HEADERS: Final = frozenset(
    {b"host", b"if-match", b"if-none-match", b"origin", b"referer", b"user-agent"}
)
# Headers that say nothing of the object (CloudFront adds the first); others of x-amz-* are fields.
HARMLESS_HEADERS: Final = frozenset(
    {b"x-amz-cf-id", b"x-amz-content-sha256", b"x-amz-date", b"x-amz-user-agent"}
)
# Fields that are headers of PutObject by the same name, beside x-amz-*.
HEADER_FIELDS: Final = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
    }
)
RENAMED_FIELDS: Final = {
    "acl": "x-amz-acl",
    # A field of that name must come with its checksum, as a header of the other one must.
    "x-amz-checksum-algorithm": "x-amz-sdk-checksum-algorithm",
}
# What signs a form, and what describes an aws-chunked body, which no form has.
NO_HEADERS: Final = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-trailer",
    }
)
METADATA_PREFIX: Final = "x-amz-meta-"
NO_QUERY: Final = Query(b"")
URL: Final = re.compile(r"https?://[^/?#\s]+[^\x00-\x1f\x7f]*", re.IGNORECASE)
VISIBLE: Final = "".join(map(chr, range(32, 127)))
CREATED: Final = 201
STATUSES: Final = {"200": 200, "201": CREATED}
NO_CONTENT: Final = 204
SEE_OTHER: Final = 303


async def open_form(
    store: Store, request: Request, target: Target, now: float
) -> tuple[Form, Request, Target, Identity]:
    """Read a form up to its file: the form, the request and target it makes, and who signed it.

    Raises S3Error for whatever is wrong with it but its policy.
    """
    refuse_other_claims(request)
    form = await read_form(request)
    fields, config = form.fields, store.config
    _refuse_conflicts(request, fields)
    key = fields.get("key")
    if key is None:
        raise missing_field("key")
    if not key:
        raise S3Error(
            "InvalidArgument",
            "User key must have a length greater than 0.",
            ArgumentName="key",
            ArgumentValue="",
        )
    identity = authenticate_form(
        fields,
        store.snapshots.keyring,
        region=config.region,
        now=now,
        allows_version_2=config.signature_v2,
    )
    kept = [item for item in request.header_items if item[0] in KEPT_HEADERS]
    headers = [(name.encode(), value.encode()) for name, value in _headers(fields).items()]
    return form, request.with_headers(kept + headers), with_key(target, key), identity


async def post_object(call: Call) -> Answer:
    """Store a form's file as PutObject does, once the policy of its signer allows it."""
    form = call.form
    assert form is not None, "opened before it was routed here"
    if call.principal is not None:  # a policy that nobody signed could be anybody's
        policy = form.fields["policy"]
        sizes = check_policy(policy, form.fields, call.bucket.name, call.now_ms / 1000)
        form.file.limit(*sizes)
    form.file.limit(0, call.store.config.object_bytes_max)
    bind = OPERATIONS["PutObject"].bind
    call.arguments = bind(call.bucket.name, call.key, NO_QUERY, call.request.header_items, b"")
    check_expected_owner(call)
    answer = await put_object(call)
    return _answer(call, form.fields, answer)


def _refuse_conflicts(request: Request, fields: Mapping[str, str]) -> None:
    """Refuse headers that ask for what no field does, and no policy allows: ErrorResponses.html."""
    for name, value in request.header_items:
        if not name.startswith(b"x-amz-") or name in HARMLESS_HEADERS:
            continue
        if fields.get(name.decode("latin-1")) != value.strip().decode("latin-1"):
            raise S3Error(
                "InvalidRequest",
                "Conflicting values provided in HTTP headers and POST form fields.",
            )


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    """Turn fields into the headers of PutObject."""
    headers = {}
    for field, value in fields.items():
        name = RENAMED_FIELDS.get(field, field)
        if name.startswith(METADATA_PREFIX):
            headers[name] = encode_words(value)
        elif name in HEADER_FIELDS or (name.startswith("x-amz-") and name not in NO_HEADERS):
            headers[name] = value
    if "tagging" in fields:
        headers["x-amz-tagging"] = _tagging(fields["tagging"])
    return headers


def _tagging(document: str) -> str:
    """Rewrite the XML of tags as x-amz-tagging has them; S3Error as for PutObjectTagging."""
    bound = OPERATIONS["PutObjectTagging"].bind(None, None, NO_QUERY, (), document.encode())
    tags = read_tag_set(bound["Tagging"].get("TagSet", ()), OBJECT_TAGS)
    return urlencode(tags, quote_via=quote)


# --- answers ------------------------------------------------------------------------------------


def _answer(call: Call, fields: Mapping[str, str], stored: Answer) -> Answer:
    """Answer as the form asks: a redirect, a document, or nothing but a status."""
    output = stored.output
    redirect = _redirect(call, fields, output["ETag"])
    location = redirect or call.object_url
    status = STATUSES.get(fields.get("success_action_status", ""), NO_CONTENT)
    if redirect is not None:
        status = SEE_OTHER
    output["Location"] = location
    if status == CREATED:
        output["PostResponse"] = {
            "Location": location,
            "Bucket": call.bucket.name,
            "Key": call.key,
            "ETag": output["ETag"],
        }
    return Answer(output, headers=stored.headers, status=status)


def _redirect(call: Call, fields: Mapping[str, str], etag: str) -> str | None:
    """Write where a browser goes next; None where the form says nothing, or no absolute URL.

    Encoded as S3 does (layervault_ruby_client issue 8): a query that is there stays.
    """
    url = fields.get("success_action_redirect", fields.get("redirect", ""))
    if URL.fullmatch(url) is None:
        return None
    said: dict[str, Any] = {"bucket": call.bucket.name, "key": call.key, "etag": etag}
    return quote(url, safe=VISIBLE) + ("&" if "?" in url else "?") + urlencode(said)
