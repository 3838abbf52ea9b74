"""Clients over TLS, by HTTP/1.1 and HTTP/2, with a certificate that S4 made.

Over https they leave bodies unsigned, and trust in trailers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from tests.e2e.clients.aws_cli import aws
from tests.e2e.clients.installed import node_story, system
from tests.e2e.clients.rclone import CURRENT, command, settings
from tests.e2e.clients.trees import digests
from tests.e2e.content import content
from tests.e2e.server import ACCESS_KEY, DOMAIN, HOST, SECRET_KEY, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.clients.installed import Runner

pytestmark = pytest.mark.e2e
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority and a certificate, as the documentation says."""
    directory = tmp_path_factory.mktemp("certificates")
    names = (HOST, DOMAIN, f"*.{DOMAIN}")
    call_command("create_certificate", *names, "--directory", str(directory))
    return directory


@pytest.fixture(scope="module")
def server(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with TLS for this module."""
    files = {
        "tls_cert": str(certificates / "server.crt"),
        "tls_key": str(certificates / "server.key"),
    }
    with running(tmp_path_factory.mktemp("server"), **files) as server:
        yield server


@pytest.fixture
def trust(certificates: Path) -> dict[str, str]:
    """Answer the settings that let each kind of client trust the authority."""
    authority = str(certificates / "authority.crt")
    return {
        "AWS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
    }


@pytest.fixture(scope="module", autouse=True)
def trusting_boto3(certificates: Path) -> Iterator[None]:
    """Let boto3 in the tests' own process trust it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(certificates / "authority.crt"))
        yield


@pytest.mark.parametrize("environment", ["boto3-old", "own"], ids=["1.26", "1.44"])
def test_boto3(run: Runner, bucket: str, trust: dict[str, str], environment: str) -> None:
    """Hard keys, presigned URLs and large objects work from boto3."""
    for story in ("hard_keys", "presigned_urls", "large_objects"):
        run.story(environment, "boto3_stories", story, bucket, **trust)


def test_aws_cli(run: Runner, bucket: str, trust: dict[str, str], tmp_path: Path) -> None:
    """A file of several parts goes up and comes down by the AWS CLI."""
    (tmp_path / "up").write_bytes(content("aws", 20 * MIB))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in trust.items():
            patch.setenv(name, value)
        line = ("--ca-bundle", trust["AWS_CA_BUNDLE"], "s3", "cp")
        aws(run, *line, str(tmp_path / "up"), f"s3://{bucket}/x y")
        aws(run, *line, f"s3://{bucket}/x y", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content("aws", 20 * MIB)


@pytest.mark.parametrize("story", ["streams", "uploads", "presigned"])
def test_javascript(run: Runner, bucket: str, trust: dict[str, str], story: str) -> None:
    """Streams and uploads work from AWS's SDK for JavaScript."""
    node_story(run, "sdk_stories", story, bucket, **trust)


def test_minio(run: Runner, bucket: str, trust: dict[str, str]) -> None:
    """Streams of unknown length work from minio-py, which signs no body here."""
    run.story("current", "minio_stories", "objects", bucket, **trust)


@pytest.mark.parametrize("more", [(), ("--disable-http2",)], ids=["h2", "http/1.1"])
def test_rclone(
    run: Runner, bucket: str, certificates: Path, files: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """A tree is carried both ways by rclone, which speaks HTTP/2 where it can."""
    trust = ("--ca-cert", str(certificates / "authority.crt"), "--retries", "1", *more)
    run(command(CURRENT), "sync", str(files), f"s4:{bucket}", *trust, **settings(run))
    down = str(tmp_path / "down")
    run(command(CURRENT), "sync", f"s4:{bucket}", down, *trust, **settings(run))
    assert digests(tmp_path / "down") == digests(files)


@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_curl(
    run: Runner, bucket: str, certificates: Path, option: str, version: str, size: int
) -> None:
    """Signed uploads, downloads, ranges, refusals and names in the URL work from curl."""
    signed = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}")
    trust = ("--cacert", str(certificates / "authority.crt"))
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    program = (system("curl"), "--silent", option, *trust, *signed, *unsigned)
    body, said = content("curl", size), ("--write-out", " %{http_version} %{http_code}")
    url = f"{run.server.url}/{bucket}/over%20tls%2B%C3%A4"
    (run.home / "body").write_bytes(body)
    upload = (*program, *said, "--upload-file", "body")
    assert run(*upload, url) == f" {version} 200"
    assert run.output(*program, url) == body
    assert run.output(*program, "--range", "2-5", url) == body[2:6]
    assert run(*upload, f"{url}?nonsense").endswith(f"{version} 400")
    hosted = f"https://{bucket}.{DOMAIN}:{run.server.port}/over%20tls%2B%C3%A4"
    resolve = ("--resolve", f"{bucket}.{DOMAIN}:{run.server.port}:{HOST}")
    assert run.output(*program, *resolve, hosted) == body


def test_the_console_in_a_browser(run: Runner, server: Server) -> None:
    """The console's pages come by HTTP/2, and its cookies are for TLS alone."""
    environment = {
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"https://{HOST}:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    node_story(run, "tls_stories", "console", **environment)
