"""Clients of a proxy that speaks TLS: they leave bodies unsigned, and trust in trailers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import node_story, system
from tests.e2e.clients.rclone import CURRENT, command, settings
from tests.e2e.clients.trees import digests
from tests.e2e.server import ACCESS_KEY, HOST, SECRET_KEY
from tests.e2e.tls import TlsFront

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.clients.installed import Runner
    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def front(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """Put TLS before the server."""
    with TlsFront((HOST, server.port), tmp_path_factory.mktemp("tls")) as front:
        yield front


@pytest.fixture
def secure(front: TlsFront) -> dict[str, str]:
    """Answer the settings that lead each kind of client there, and let it trust who it meets."""
    certificate = str(front.certificate)
    return {
        "AWS_ENDPOINT_URL": front.url,
        "AWS_CA_BUNDLE": certificate,
        "SSL_CERT_FILE": certificate,
        "NODE_EXTRA_CA_CERTS": certificate,
    }


@pytest.mark.parametrize("environment", ["boto3-old", "own"], ids=["1.26", "1.44"])
def test_boto3(run: Runner, bucket: str, secure: dict[str, str], environment: str) -> None:
    """Large objects, hard keys and presigned URLs work from boto3, whose trailers are unsigned."""
    for story in ("hard_keys", "presigned_urls", "large_objects"):
        run.story(environment, "boto3_stories", story, bucket, **secure)


@pytest.mark.parametrize("story", ["streams", "uploads", "presigned"])
def test_javascript(run: Runner, bucket: str, secure: dict[str, str], story: str) -> None:
    """Streams and uploads work from AWS's SDK for JavaScript."""
    node_story(run, "sdk_stories", story, bucket, **secure)


def test_minio(run: Runner, bucket: str, secure: dict[str, str]) -> None:
    """Streams of unknown length work from minio-py, which signs no body here."""
    run.story("current", "minio_stories", "objects", bucket, **secure)


def test_rclone(run: Runner, bucket: str, front: TlsFront, files: Path, tmp_path: Path) -> None:
    """A tree is carried both ways by rclone, which signs no body here."""
    remote = settings(run) | {"RCLONE_CONFIG_S4_ENDPOINT": front.url}
    trust = ("--ca-cert", str(front.certificate), "--retries", "1")
    run(command(CURRENT), "sync", str(files), f"s4:{bucket}", *trust, **remote)
    run(command(CURRENT), "sync", f"s4:{bucket}", str(tmp_path / "down"), *trust, **remote)
    assert digests(tmp_path / "down") == digests(files)


def test_curl(run: Runner, bucket: str, front: TlsFront) -> None:
    """An upload is signed by curl, with its body's hash left out."""
    signed = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}")
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--fail-with-body")
    program = (system("curl"), "--silent", "--cacert", str(front.certificate), *signed, *unsigned)
    url = f"{front.url}/{bucket}/over%20tls"
    run(*program, "--request", "PUT", "--data-binary", "@-", url, told=b"over tls")
    assert run(*program, url) == "over tls"
