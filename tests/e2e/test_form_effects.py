"""What a form brings about besides bytes: tags, grants, versions, and whose the object is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from botocore.config import Config

from tests.e2e.content import content
from tests.e2e.posting import BOUNDARY, Upload, post, presigned, write_form
from tests.e2e.processes import MemoryWatch
from tests.e2e.wire import write_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e
MIB: Final = 1024 * 1024
ANONYMOUS: Final = "65a011a29cdf8ec533ec3d1ccaae921c"
TAGGING: Final = (
    "<Tagging><TagSet><Tag><Key>a b</Key><Value>1+2=3</Value></Tag>"
    "<Tag><Key>ü</Key><Value></Value></Tag></TagSet></Tagging>"
)
TAGS: Final = [{"Key": "a b", "Value": "1+2=3"}, {"Key": "ü", "Value": ""}]


@pytest.fixture(scope="module")
def signer(server: Server) -> Iterator[BaseClient]:
    """Answer a client that signs forms with Version 4."""
    client = server.client(config=Config(signature_version="s3v4"))
    yield client
    client.close()


@pytest.fixture
def public(s3: BaseClient, bucket: str) -> str:
    """Let everybody write to a bucket."""
    name = f"{bucket}-public"
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_acl(Bucket=name, ACL="public-read-write")
    return name


def test_tags_come_as_xml(server: Server, s3: BaseClient, signer: BaseClient, bucket: str) -> None:
    """As AWS documents forms, or as in the header of PutObject; the object has them at once."""
    body = write_form(presigned(signer, bucket, "k", tagging=TAGGING), Upload(b"x"))
    assert post(server, f"/{bucket}", body).status == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == TAGS
    plain = write_form(presigned(signer, bucket, "plain", x_amz_tagging="a=b"), Upload(b"x"))
    assert post(server, f"/{bucket}", plain).status == 204
    assert len(s3.get_object_tagging(Bucket=bucket, Key="plain")["TagSet"]) == 1
    tag = "<Tag><Key>{}</Key><Value>v</Value></Tag>"
    many = "".join(tag.format(number) for number in range(11))
    for document in (f"<Tagging><TagSet>{many}</TagSet></Tagging>", "not-xml"):
        body = write_form(presigned(signer, bucket, "l", tagging=document), Upload(b"x"))
        assert post(server, f"/{bucket}", body).status == 400


def test_a_form_makes_versions(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """Each form to a versioned bucket adds one, and the reply names it."""
    enabled = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    body = write_form(presigned(signer, bucket, "k"), Upload(b"x"))
    ids = [post(server, f"/{bucket}", body).headers["x-amz-version-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == ids[1]


def test_everybody_may_post_where_an_acl_lets_him(
    server: Server, s3: BaseClient, public: str
) -> None:
    """An anonymous form needs no policy; what it makes is nobody's, and has the ACL it asks for."""
    fields = {"key": "in/${filename}", "acl": "public-read", "tagging": TAGGING, "other": "1"}
    reply = post(server, f"/{public}", write_form(fields, Upload(b"x", "a.txt")))
    assert reply.status == 204
    assert s3.list_objects_v2(Bucket=public, FetchOwner=True)["Contents"][0]["Owner"]["ID"] == (
        ANONYMOUS
    )
    with server.caller.connect() as connection:
        head = write_head("GET", f"/{public}/in/a.txt", {"Host": server.caller.host}, None)
        connection.send(head)
        assert connection.reply().body == b"x"


def test_a_wrong_signature_is_not_nobody(server: Server, s3: BaseClient, public: str) -> None:
    """Where everybody may write, a claim that does not hold still refuses the form."""
    for claim in (
        {"policy": "e30=", "x-amz-signature": "0"},
        {"policy": "e30=", "AWSAccessKeyId": "A", "signature": "0"},
    ):
        reply = post(server, f"/{public}", write_form({"key": "k"} | claim, Upload(b"x")))
        assert (reply.status, reply.code) in {(400, "InvalidArgument"), (400, "InvalidRequest")}
    assert "Contents" not in s3.list_objects_v2(Bucket=public)


def test_a_page_may_read_the_answer(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """The rules of the bucket count for forms, for refused ones too."""
    rule = {"AllowedMethods": ["POST"], "AllowedOrigins": ["https://app.example.org"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    good = write_form(presigned(signer, bucket, "k"), Upload(b"x"))
    for body in (good, write_form({"key": "k"}, Upload(b"x"))):
        reply = post(server, f"/{bucket}", body)
        assert reply.headers["access-control-allow-origin"] == "https://app.example.org"


def test_a_connection_serves_form_after_form(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """What stands behind the file, and what a refusal leaves unread, is read away."""
    good = write_form(presigned(signer, bucket, "k"), Upload(b"x"), {"after": "y" * 50_000})
    bad = write_form({"key": "k"}, Upload(content("refused", 60_000)))
    lines = {
        "Host": server.caller.host,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    with server.caller.connect() as connection:
        for body, status in [(good, 204), (bad, 403)] * 3:
            connection.send(write_head("POST", f"/{bucket}", lines, len(body)) + body)
            assert connection.reply("POST").status == status


def test_a_large_file_passes_through(
    server: Server, s3: BaseClient, signer: BaseClient, bucket: str
) -> None:
    """A file of 200 MB is stored whole, and no process holds it."""
    data = content("large", 200 * MIB)
    body = write_form(presigned(signer, bucket, "large"), Upload(data))
    post(server, f"/{bucket}", write_form(presigned(signer, bucket, "small"), Upload(b"x")))
    with MemoryWatch([process.pid for process in server.processes()]) as watch:
        assert post(server, f"/{bucket}", body).status == 204
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == data
    growth = {pid: size // MIB for pid, size in watch.growth.items()}
    assert all(size <= 100 for size in growth.values()), f"MiB by pid: {growth}"
    server.verify()
