"""Browser uploads: forms as browsers and boto3 make them, against the real server."""

from __future__ import annotations

import hashlib
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.e2e.content import content
from tests.e2e.outcome import refusal
from tests.e2e.posting import (
    BOUNDARY,
    Upload,
    policy,
    post,
    presigned,
    sha256_of,
    write_form,
    write_part,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e
KIB = 1024
MIB = KIB * KIB
QUOTE = '"'


def body_of(s3: BaseClient, bucket: str, key: str) -> bytes:
    """Read an object."""
    data: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


@pytest.fixture(scope="module")
def signer(server: Server) -> Iterator[BaseClient]:
    """Answer a client that signs forms with Version 4, which boto3 does only when told to."""
    client = server.client(config=Config(signature_version="s3v4"))
    yield client
    client.close()


def noise(size: int) -> bytes:
    """Make a file's content."""
    return content("form", size)


def etag_of(data: bytes) -> str:
    """Write a file's ETag."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def elements(document: bytes) -> dict[str, str]:
    """Read the text of each element of an XML document that has none in another."""
    found = re.findall(r"<(\w+)>([^<]*)</\1>", document.decode())
    return {name: unescape(text) for name, text in found}


def is_empty(s3: BaseClient, bucket: str) -> bool:
    """Tell whether nothing was stored."""
    return "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_browser_uploads_with_a_form_of_boto3(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """Chromium's bytes: the file's name is filled in, and the object has what the fields say."""
    fields = presigned(
        signer,
        bucket,
        "user/eric/${filename}",
        Content_Type="image/jpeg",
        Cache_Control="max-age=60",
        x_amz_meta_Colour="ü blue",
    )
    data = noise(70 * KIB)
    reply = post(server, f"/{bucket}", write_form(fields, Upload(data, r"C:\pictures\a b.jpg")))
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["etag"] == etag_of(data)
    assert reply.headers["location"] == f"{server.url}/{bucket}/user%2Feric%2Fa+b.jpg"
    assert reply.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert "x-amz-checksum-crc64nvme" in reply.headers
    stored = s3.get_object(Bucket=bucket, Key="user/eric/a b.jpg")
    assert stored["Body"].read() == data
    assert (stored["ContentType"], stored["CacheControl"]) == ("image/jpeg", "max-age=60")
    assert stored["Metadata"] == {"colour": "=?UTF-8?Q?=C3=BC_blue?="}


@pytest.mark.parametrize("size", [0, 1, 4095, 32 * KIB, 33 * KIB, 3 * MIB + 7])
def test_files_of_all_sizes_arrive_whole(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str, size: int
) -> None:
    """Also where the network cuts the body in the middle of a boundary, and fields follow."""
    data = (noise(size) + b"\r\n--" + BOUNDARY.encode()[:-1])[: size + 30] if size else b""
    body = write_form(presigned(signer, bucket, "k"), Upload(data), {"submit": "x" * 50_000})
    end = body.index(b"\r\n--" + BOUNDARY.encode(), body.index(b'name="file"'))
    reply = post(server, f"/{bucket}", body, pieces=[9, 700, end + 3, end + 20])
    assert (reply.status, reply.code) == (204, "")
    assert body_of(s3, bucket, "k") == data


def test_the_answer_is_the_one_the_form_asks_for(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """An empty reply, a document, or a redirect; what is no status or no URL counts for nothing."""
    data = b"something body"
    location = f"{server.url}/{bucket}/a%2Fb"

    def ask(**fields: str) -> Any:
        allowed = [{name: value} for name, value in fields.items()]
        made = signer.generate_presigned_post(bucket, "a/b", dict(fields), allowed)["fields"]
        return post(server, f"/{bucket}", write_form(made, Upload(data)))

    assert [ask(success_action_status=status).status for status in ("200", "204", "404")] == [
        200,
        204,
        204,
    ]
    created = ask(success_action_status="201")
    assert (created.status, created.headers["location"]) == (201, location)
    assert list(elements(created.body).items()) == [
        ("Location", location),
        ("Bucket", bucket),
        ("Key", "a/b"),
        ("ETag", etag_of(data)),
    ]
    assert created.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>')
    said = f"bucket={bucket}&key=a%2Fb&etag=%22{etag_of(data).strip(QUOTE)}%22"
    seen = ask(
        success_action_redirect="https://app.example.org/done?x=1", success_action_status="201"
    )
    assert (seen.status, seen.body) == (303, b"")
    assert seen.headers["location"] == f"https://app.example.org/done?x=1&{said}"
    assert ask(redirect="http://a.example").headers["location"] == f"http://a.example?{said}"
    for url in ("/relative", "ftp://a.example/", "javascript:alert(1)", "http://a\r\nX: y"):
        reply = ask(success_action_redirect=url, success_action_status="201")
        assert (reply.status, reply.headers["location"]) == (201, location)


def test_a_policy_is_obeyed(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """What the signer did not allow is refused in S3's words, and nothing is stored."""
    fields = presigned(
        signer, bucket, "in/${filename}", [["content-length-range", 5, 10]], acl="private"
    )

    def refused(data: bytes = b"seven..", **changes: str) -> tuple[int, str, str]:
        reply = post(server, f"/{bucket}", write_form(fields | changes, Upload(data)))
        return reply.status, reply.code, elements(reply.body)["Message"]

    assert refused(key="out/x") == (
        403,
        "AccessDenied",
        'Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "in/"]',
    )
    assert refused(**{"Content-Type": "text/html"}) == (
        403,
        "AccessDenied",
        "Invalid according to Policy: Extra input fields: content-type",
    )
    assert refused(acl="public-read")[2].endswith('["eq", "$acl", "private"]')
    assert refused(b"four")[:2] == (400, "EntityTooSmall")
    assert refused(b"eleven.....")[:2] == (400, "EntityTooLarge")
    assert refused(noise(5 * MIB))[:2] == (400, "EntityTooLarge")
    assert refused(policy=fields["policy"][:-4])[:2] == (403, "SignatureDoesNotMatch")
    assert refused(**{"x-amz-signature": "0" * 64})[:2] == (403, "SignatureDoesNotMatch")
    expired = signer.generate_presigned_post(bucket, "k", ExpiresIn=-1)["fields"]
    reply = post(server, f"/{bucket}", write_form(expired, Upload(b"x")))
    assert (reply.status, b"Invalid according to Policy: Policy expired." in reply.body) == (
        403,
        True,
    )
    assert is_empty(s3, bucket)


def test_a_form_is_for_one_bucket(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """It opens no other one, whatever a field says, and none that is not there."""
    s3.create_bucket(Bucket=f"{bucket}-other")
    body = write_form(presigned(signer, bucket, "k", bucket=bucket), Upload(b"x"))
    reply = post(server, f"/{bucket}-other", body)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert post(server, f"/{bucket}-none", body).code == "NoSuchBucket"
    assert is_empty(s3, f"{bucket}-other")
    assert post(server, f"/{bucket}", body).status == 204


def test_nobody_may_post_to_a_private_bucket(server: Server, s3: BaseClient, bucket: str) -> None:
    """A form without a signature is anonymous, with a policy or without."""
    for fields in ({"key": "k"}, {"key": "k", "policy": policy(bucket, [])}):
        reply = post(server, f"/{bucket}", write_form(fields, Upload(b"x")))
        assert (reply.status, reply.code) == (403, "AccessDenied")
    assert is_empty(s3, bucket)


def test_no_other_post_is_let_in_by_being_a_form(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """The content type of a form opens neither another sub-resource nor a key to nobody."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    body = write_form({"key": "k"}, Upload(b"x"))
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for target in ("?delete", "/k?uploads", f"/k?uploadId={upload_id}", "/k?select&select-type=2"):
        reply = post(server, f"/{bucket}{target}", body)
        assert (reply.status, reply.code) in {(403, "AccessDenied"), (501, "NotImplemented")}
    assert post(server, f"/{bucket}/k", body).code == "MethodNotAllowed"
    assert body_of(s3, bucket, "k") == b"kept"


def test_signatures_elsewhere_do_not_count(server: Server, s3: BaseClient, bucket: str) -> None:
    """A signed header or URL covers no field of a form, and is refused beside one."""
    body = write_form({"key": "k"}, Upload(b"x"))
    signed = server.caller.sign("POST", f"/{bucket}", None, "UNSIGNED-PAYLOAD").headers
    del signed["host"]
    assert post(server, f"/{bucket}", body, headers=signed).code == "InvalidArgument"
    assert is_empty(s3, bucket)


TAG = "<Tag><Key>k</Key><Value>ü +</Value></Tag>"


@pytest.mark.parametrize(
    ("document", "tags"),
    [
        (f"<Tagging><TagSet>{TAG}</TagSet></Tagging>", [{"Key": "k", "Value": "ü +"}]),
        ("<Tagging><TagSet/></Tagging>", []),
        ("<Tagging/>", []),
    ],
)
def test_tags_come_with_a_form(
    server: Server,
    s3: BaseClient,
    signer: BaseClient,
    bucket: str,
    document: str,
    tags: list[dict[str, str]],
) -> None:
    """The tags in a form's XML are the object's, and a document without any gives none."""
    made = presigned(signer, bucket, "k", tagging=document)
    assert post(server, f"/{bucket}", write_form(made, Upload(b"data"))).status == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags


def test_headers_beside_a_form_ask_for_nothing(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """What no field says, no header can add; a condition is obeyed, for it only forbids."""
    body = write_form(presigned(signer, bucket, "k", x_amz_meta_a="1"), Upload(b"x"))

    def ask(**headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = post(server, f"/{bucket}", body, headers=named)
        return reply.status, reply.code

    for headers in (
        {"x_amz_server_side_encryption": "AES256"},
        {"x_amz_acl": "private"},
        {"x_amz_expected_bucket_owner": "0"},
        {"x_amz_meta_a": "2"},
    ):
        assert ask(**headers) == (400, "InvalidRequest")
    assert is_empty(s3, bucket)
    assert ask(x_amz_meta_a="1", x_amz_content_sha256="UNSIGNED-PAYLOAD") == (204, "")
    assert ask(If_None_Match="*") == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
        ({"Content-MD5": "x"}, "InvalidDigest"),
        ({"x-amz-checksum-sha256": "sailorjerry"}, "InvalidRequest"),
        ({"x-amz-checksum-sha256": sha256_of(b"other")}, "BadDigest"),
        ({"x-amz-checksum-algorithm": "SHA256"}, "InvalidRequest"),
        ({"x-amz-storage-class": "FakeClass"}, "InvalidStorageClass"),
        ({"x-amz-meta-long": "m" * 2049}, "MetadataTooLarge"),
        ({"x-amz-meta-ü": "x"}, "InvalidArgument"),
        ({"Content-Disposition": "a\r\nX-Evil: 1"}, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "AES256"}, "NotImplemented"),
        ({"x-amz-expected-bucket-owner": "0" * 12}, "AccessDenied"),
        ({"tagging": "a=1"}, "MalformedXML"),
        ({"tagging": f"<Tagging><TagSet>{TAG}{TAG}</TagSet></Tagging>"}, "InvalidTag"),
        ({"tagging": "<Tagging><TagSet><Tag/></TagSet></Tagging>"}, "MalformedXML"),
        ({"tagging": '<!DOCTYPE x [<!ENTITY e "e">]><Tagging>&e;</Tagging>'}, "MalformedXML"),
    ],
)
def test_a_field_that_cannot_be_kept_is_refused(
    server: Server,
    s3: BaseClient,
    signer: BaseClient,
    bucket: str,
    fields: dict[str, str],
    code: str,
) -> None:
    """Fields are judged like the headers of PutObject, and nothing is stored."""
    allowed = [{name: value} for name, value in fields.items()]
    made = signer.generate_presigned_post(bucket, "k", dict(fields), allowed)["fields"]
    reply = post(server, f"/{bucket}", write_form(made, Upload(b"data")))
    assert (reply.code, reply.status < 600) == (code, True)
    assert is_empty(s3, bucket)


def test_checksums_are_verified_and_kept(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """A checksum of a form is answered, and known of the object from then on."""
    data = noise(100 * KIB)
    fields = presigned(
        signer,
        bucket,
        "k",
        x_amz_checksum_sha256=sha256_of(data),
        x_amz_checksum_algorithm="SHA256",
    )
    reply = post(server, f"/{bucket}", write_form(fields, Upload(data)))
    assert reply.headers["x-amz-checksum-sha256"] == sha256_of(data)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == sha256_of(data)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "MalformedPOSTRequest"),
        (b"key=k", 400, "MalformedPOSTRequest"),
        (write_form({}, Upload(b"x")), 400, "InvalidArgument"),
        (write_form({"key": ""}, Upload(b"x")), 400, "InvalidArgument"),
        (write_form({"key": "k" * 1025}, Upload(b"x")), 400, "KeyTooLongError"),
        (
            write_part("key", b"k", None, None) + f"--{BOUNDARY}--\r\n".encode(),
            400,
            "InvalidArgument",
        ),
        (
            write_form({"x-ignore-a": "x" * 20_480, "key": "k"}, Upload(b"x")),
            400,
            "MaxPostPreDataLengthExceeded",
        ),
        (write_form({"key": "k", "signature": "s"}, Upload(b"x")), 400, "InvalidArgument"),
        (
            write_form(
                {"key": "k", "signature": "s", "AWSAccessKeyId": "a", "policy": "p"}, Upload(b"x")
            ),
            400,
            "InvalidRequest",
        ),
    ],
)
def test_a_form_that_is_none_is_refused(
    server: Server, s3: BaseClient, bucket: str, body: bytes, status: int, code: str
) -> None:
    """Each has S3's code, and nothing is stored."""
    reply = post(server, f"/{bucket}", body)
    assert (reply.status, reply.code) == (status, code)
    assert is_empty(s3, bucket)


@pytest.mark.parametrize("size", [9000, 90_000])
def test_a_form_that_ends_too_soon_is_refused(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str, size: int
) -> None:
    """A file without its closing boundary is not known to be whole."""
    body = write_form(presigned(signer, bucket, "k"), Upload(noise(size)))
    reply = post(server, f"/{bucket}", body[:-5000])
    assert (reply.status, reply.code) == (400, "MalformedPOSTRequest")
    assert is_empty(s3, bucket)


def test_other_bodies_are_no_forms(server: Server, bucket: str) -> None:
    """S3 answers 412 to a POST that is no form, and asks for a boundary and a length."""
    body = write_form({"key": "k"}, Upload(b"x"))
    kinds = {
        "application/x-www-form-urlencoded": (412, "PreconditionFailed"),
        "multipart/form-data": (400, "MalformedPOSTRequest"),
    }
    for kind, expected in kinds.items():
        reply = post(server, f"/{bucket}", body, headers={"Content-Type": kind})
        assert (reply.status, reply.code) == expected


def test_virtual_hosts_take_forms(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """The location then has the bucket in its host."""
    host = f"{bucket}.s3.localhost:{server.port}"
    body = write_form(presigned(signer, bucket, "a/ü"), Upload(b"x"))
    reply = post(server, "/", body, headers={"Host": host})
    assert (reply.status, reply.headers["location"]) == (204, f"http://{host}/a%2F%C3%BC")


def test_a_client_that_goes_away_leaves_nothing(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """Half a file is no object, and its room is given back."""
    body = write_form(presigned(signer, bucket, "k"), Upload(noise(5 * MIB)))
    lines = {
        "Host": server.caller.host,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(body)),
    }
    head = "\r\n".join([f"POST /{bucket} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items())])
    with server.caller.connect() as connection:
        connection.send(head.encode() + b"\r\n\r\n" + body[: 2 * MIB])
        connection.reset()
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    server.verify()
