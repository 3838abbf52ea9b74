"""Links to share: signed as SigV4 has it, by a key of who makes them, for a week at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.utils import timezone

from iam import services
from tests.calling import Program

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User
    from iam.services.keys import NewKey

PATH = "/admin/buckets/photos/presign"


@pytest.fixture
def key(ada: User) -> NewKey:
    """Make an access key."""
    return services.create_key(ada.pk)


@pytest.mark.parametrize(
    ("body", "method", "headers", "query"),
    [
        ({"key": "a b/ü+~&=.txt"}, "GET", {}, ""),
        ({"key": "k", "expires_in": 604800, "version_id": "null"}, "GET", {}, "versionId=null"),
        (
            {"key": "k", "response_content_disposition": 'attachment; filename="x y"'},
            "GET",
            {},
            "response-content-disposition=attachment%3B%20filename%3D%22x%20y%22",
        ),
        (
            {"key": "k", "method": "PUT", "content_type": "text/plain"},
            "PUT",
            {"content-type": "text/plain"},
            "",
        ),
    ],
)
def test_a_link_is_what_botocore_would_sign(
    ada: User,
    key: NewKey,
    settings: SettingsWrapper,
    body: dict[str, Any],
    method: str,
    headers: dict[str, str],
    query: str,
) -> None:
    """The signature is that of AWS's own library, over the same request."""
    settings.S4 = replace(settings.S4, public_url="https://s3.example.org")
    told = Program(ada).post(PATH, body)
    assert told.status == 200
    link = urlsplit(told.body["url"])
    sent = parse_qs(link.query)
    plain = f"https://s3.example.org{link.path}"
    request = AWSRequest(method, f"{plain}?{query}" if query else plain, headers=headers)
    expires = body.get("expires_in", 3600)
    credentials = Credentials(key.access_key, key.secret_key)
    signer = S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=expires)
    request.context["timestamp"] = sent["X-Amz-Date"][0]
    signer._modify_request_before_signing(request)
    wanted = signer.string_to_sign(request, signer.canonical_request(request))
    signature = signer.signature(wanted, request)
    assert sent["X-Amz-Signature"] == [signature]
    assert told.body["access_key"] == key.access_key


def test_a_link_ends_when_its_key_does(ada: User) -> None:
    """What is told as its end is the sooner of the two."""
    soon = timezone.now() + timedelta(minutes=5)
    services.create_key(ada.pk, expires_at=soon)
    told = Program(ada).post(PATH, {"key": "k"}).body
    assert abs(datetime.fromisoformat(told["expires_at"]) - soon) < timedelta(seconds=1)


def test_a_link_leads_to_where_clients_reach_s3(ada: User, key: NewKey) -> None:
    """Without S4_PUBLIC_URL it is the host that was asked, with the port of S3."""
    told = Program(ada).post(PATH, {"key": "k"}, headers={"Host": "s4.lan:9001"})
    assert urlsplit(told.body["url"]).netloc == "s4.lan:9000"


def test_only_ones_own_keys_sign(ada: User, boss: User, key: NewKey) -> None:
    """Another's key is not there, not even for a SuperUser; without one of one's own it is 409."""
    told = Program(boss).post(PATH, {"key": "k"})
    assert (told.status, "make one first" in told.error) == (409, True)
    told = Program(boss).post(PATH, {"key": "k", "access_key": key.access_key})
    assert (told.status, key.access_key in told.error) == (404, True)
    other = services.create_key(ada.pk)
    told = Program(ada).post(PATH, {"key": "k", "access_key": other.access_key})
    assert told.body["access_key"] == other.access_key
    services.set_key_enabled(key.access_key, enabled=False)
    assert Program(ada).post(PATH, {"key": "k"}).body["access_key"] == other.access_key


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": ""},
        {"key": "ü" * 513},
        {"key": "k", "expires_in": 0},
        {"key": "k", "expires_in": 604801},
        {"key": "k", "expires_in": "60"},
        {"key": "k", "method": "DELETE"},
        {"key": "k", "content_type": "text/plain"},
        {"key": "k", "method": "PUT", "version_id": "null"},
        {"key": "k", "response_content_disposition": "a\r\nb"},
        {"key": "k", "bucket": "other"},
    ],
)
def test_a_link_that_cannot_be_is_400(ada: User, key: NewKey, body: dict[str, Any]) -> None:
    """What SigV4 does not allow, or means nothing, is refused in a sentence."""
    told = Program(ada).post(PATH, body)
    assert (told.status, bool(told.error)) == (400, True)
