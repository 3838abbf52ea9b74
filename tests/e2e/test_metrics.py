"""Metrics of a real server, read by a real Prometheus: who may, how right, what is shown."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from s4project.metrics.series import SERIES
from s4project.metrics.slots import find_slots
from tests.e2e.processes import wait_until
from tests.e2e.server import HOST, ROOT
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

SETTINGS: Final = {"snapshot_interval_hours": "24"}
RULES: Final = ROOT / "deploy/prometheus/s4.rules.yml"
DASHBOARDS: Final = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
TEXT: Final = re.compile(r"^(s4_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
PUTS: Final = 40
SETTLE_SECONDS: Final = 30
# What only a store has in which lifecycle rules acted.
SILENT: Final = frozenset({"Lifecycle"})


def ask(
    port: int, path: str, body: dict[str, str] | None = None, **headers: str
) -> tuple[int, str, str]:
    """Ask a server on this machine; answer status, type and text."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            headers |= {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
        reply = connection.getresponse()
        return reply.status, reply.headers["Content-Type"], reply.read().decode()


class Reader:
    """Reads the metrics of a server."""

    def __init__(self, server: Server) -> None:
        self.port = server.console_port
        self.token = (server.data / "metrics.token").read_text()

    def get(self, path: str = "/metrics", **headers: str) -> tuple[int, str, str]:
        """Answer status, type and text."""
        return ask(self.port, path, **headers)

    def sign_in(self, username: str, password: str) -> str:
        """Answer a token of the REST API."""
        body = {"username": username, "password": password}
        token: str = json.loads(ask(self.port, "/api/admin/login", body)[2])["token"]
        return token

    def text(self, path: str = "/metrics") -> str:
        """Answer the text that Prometheus gets."""
        status, _, text = self.get(path, Authorization=f"Bearer {self.token}")
        assert status == 200, text
        return text

    def total(self, name: str, **labels: str) -> float:
        """Add up the samples of a series that have these labels."""
        return sum(
            float(value)
            for found, text, value in TEXT.findall(self.text())
            if found == name and all(f'{key}="{wanted}"' in text for key, wanted in labels.items())
        )


@pytest.fixture(scope="module")
def reader(server: Server) -> Reader:
    """Read with the token that the first start has made."""
    return Reader(server)


@pytest.fixture(scope="module")
def traffic(server: Server, s3: BaseClient, reader: Reader) -> None:
    """Do something of every kind that has a panel."""
    s3.create_bucket(Bucket="photos")
    assert server.manage("set_quota", "--bucket", "photos", "--bytes", "1G").returncode == 0
    for number in range(PUTS):
        s3.put_object(Bucket="photos", Key=f"key-{number}", Body=b"x" * 10_000)
        s3.get_object(Bucket="photos", Key=f"key-{number}")["Body"].read()
    s3.list_objects_v2(Bucket="photos")
    s3.delete_object(Bucket="photos", Key="key-0")
    with pytest.raises(ClientError):
        s3.get_object(Bucket="photos", Key="none")
    stranger = server.client(aws_secret_access_key="wrong")
    with pytest.raises(ClientError):
        stranger.list_buckets()
    stranger.close()
    with closing(socket.create_connection((HOST, server.port))) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert wire.recv(12) == b"HTTP/1.1 400"
    assert server.manage("snapshot").returncode == 0
    wait_until(lambda: reader.total("s4_job_runs_total") > 0, "the jobs have looked", 60)


def test_only_who_has_the_token_may_read(reader: Reader) -> None:
    """Nobody reads without the token or with another; MinIO's paths are no way around."""
    for path in ("/metrics", "/minio/v2/metrics/cluster"):
        assert reader.get(path)[0] == 401
        assert reader.get(path, Authorization="Bearer nonsense")[0] == 401
        assert reader.get(path, Authorization=f"Basic {reader.token}")[0] == 401
    assert "metrics.token" in reader.get()[2]


def test_the_token_is_for_the_owner_of_the_data_alone(server: Server) -> None:
    """The generated token can be read by nobody but the user that the server runs as."""
    assert (server.data / "metrics.token").stat().st_mode & 0o777 == 0o600


def test_the_forms_of_prometheus_are_spoken(reader: Reader) -> None:
    """The plain form is what everybody gets, OpenMetrics who asks for it; MinIO's paths too."""
    _, kind, _ = reader.get(Authorization=f"Bearer {reader.token}")
    assert kind.startswith("text/plain; version=")
    accept = "application/openmetrics-text; version=1.0.0"
    _, kind, text = reader.get(Authorization=f"Bearer {reader.token}", Accept=accept)
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    for part in ("cluster", "node", "bucket", "resource"):
        assert "s4_build_info" in reader.text(f"/minio/v2/metrics/{part}")


def test_a_superuser_reads_without_it(reader: Reader) -> None:
    """A token of the REST API serves, if it is a SuperUser's; a Reader's does not."""
    root = reader.sign_in("root", "e2e-root-password")
    rita = {"username": "rita", "password": "rita-rita-1", "role": "Reader"}
    assert ask(reader.port, "/api/admin/users", rita, Authorization=f"Bearer {root}")[0] < 300
    assert reader.get(Authorization=f"Bearer {root}")[0] == 200
    token = reader.sign_in("rita", "rita-rita-1")
    assert reader.get(Authorization=f"Bearer {token}")[0] == 403


def test_requests_of_all_workers_are_counted_exactly(reader: Reader, traffic: None) -> None:
    """Each request stands once under its operation, status and bucket, whichever worker had it."""
    wanted = {"operation": "PutObject", "status": "200"}
    wait_until(
        lambda: reader.total("s4_s3_requests_total", **wanted) == PUTS, "all are counted", 10
    )
    assert reader.total("s4_bucket_requests_total", bucket="photos", **wanted) == PUTS
    assert reader.total("s4_s3_received_bytes_total", operation="PutObject") == PUTS * 10_000
    assert reader.total("s4_s3_sent_bytes_total", operation="GetObject") >= PUTS * 10_000
    assert reader.total("s4_s3_first_byte_seconds_count", operation="PutObject") == PUTS
    assert reader.total("s4_s3_auth_failures_total", code="SignatureDoesNotMatch") == 1
    assert reader.total("s4_bucket_objects", bucket="photos") == PUTS - 1
    assert reader.total("s4_blobs") == 1
    assert reader.total("s4_refused_requests_total", code="BadRequest") == 1
    assert reader.total("s4_commit_group_operations_sum") >= PUTS


def test_what_commands_and_jobs_do_is_counted_too(
    server: Server, reader: Reader, traffic: None
) -> None:
    """A scrub that a command makes is in the server's figures, though its process is gone."""
    before = reader.total("s4_scrub_bytes_total")
    assert server.manage("scrub").returncode == 0
    assert reader.total("s4_scrub_bytes_total") > before
    assert reader.total("s4_jobs_running") == 1
    assert reader.total("s4_process_starts_total", role="command") >= 1


def test_every_series_is_there_and_has_samples(reader: Reader, traffic: None) -> None:
    """All series of the table are told, and after traffic none is empty that could have samples."""
    text = reader.text()
    told = re.findall(r"^# TYPE (s4_\w+) (\w+)$", text, re.MULTILINE)
    assert told == [(series.name, series.kind) for series in SERIES]
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name, _, _ in TEXT.findall(text)}
    names |= {name for name, _, _ in TEXT.findall(text)}
    silent = {"s4_lifecycle_actions_total", "s4_bucket_quota_objects"}
    never = {"s4_scrub_finished_timestamp_seconds", "s4_certificate_expiry_timestamp_seconds"}
    assert {series.name for series in SERIES} - names - never == silent


def renew(server: Server) -> None:
    """Replace the workers by new ones."""
    old = set(server.workers())
    os.kill(server.main_pid(), signal.SIGHUP)
    wait_until(
        lambda: len(new := server.workers()) == len(old) and not old.intersection(new),
        "the workers were replaced",
        60,
    )


def test_a_new_generation_goes_on_with_the_sums(
    server: Server, reader: Reader, traffic: None
) -> None:
    """Workers that replace others take their slots: nothing falls, and no files pile up."""
    before = reader.total("s4_s3_requests_total")
    directory = find_slots(server.data)._directory
    for _ in range(2):
        renew(server)
    server.seen_workers = server.workers()
    assert reader.total("s4_s3_requests_total") == before
    assert reader.total("s4_workers") == 2
    assert reader.total("s4_process_starts_total", role="worker") == 6
    assert len(list(directory.glob("*.lock"))) < 8


class Prometheus:
    """A real one, which scrapes the server each second."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {
                    "job_name": "s4",
                    "authorization": {"credentials_file": str(server.data / "metrics.token")},
                    "static_configs": [{"targets": [f"{HOST}:{server.console_port}"]}],
                }
            ],
        }
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        self.log = directory / "prometheus.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address={HOST}:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )

    def ask(self, path: str, **query: str) -> Any:
        """Ask its API; None while it does not answer."""
        try:
            status, _, text = ask(self.port, f"/api/v1/{path}?{urlencode(query)}")
        except OSError:
            return None
        assert status in {200, 503}, f"{query}: {text}"
        return json.loads(text)["data"] if status == 200 else None

    def value(self, expression: str) -> list[Any]:
        """Evaluate an expression."""
        found = self.ask("query", query=expression)
        return found["result"] if found else []


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, server: Server, s3: BaseClient, traffic: None
) -> Iterator[Prometheus]:
    """Let it scrape before and after some more traffic."""
    if shutil.which("prometheus") is None:
        assert "CI" not in os.environ, "Debian's package prometheus is missing"
        pytest.skip("prometheus is not installed (Debian's package of that name)")
    made = Prometheus(tmp_path_factory.mktemp("prometheus"), server)
    try:
        seen = "count_over_time(s4_build_info[1m]) >= 3"
        wait_until(lambda: made.value("s4_build_info"), "it has scraped", SETTLE_SECONDS)
        for number in range(5):
            s3.put_object(Bucket="photos", Key=f"more-{number}", Body=b"y" * 10_000)
            s3.get_object(Bucket="photos", Key=f"more-{number}")["Body"].read()
            time.sleep(0.2)
        wait_until(lambda: made.value(seen), "it has scraped again", SETTLE_SECONDS)
        yield made
    finally:
        made.process.terminate()
        made.process.wait(30)


def panels() -> list[tuple[str, str]]:
    """List every expression of the dashboards with its panel."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"])
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", ())
    ]


def concrete(expression: str) -> str:
    """Put in what Grafana would for a dashboard that shows everything."""
    chosen = {"$__rate_interval": "1m", "$instance": ".*", "$bucket": ".*"}
    for name, value in chosen.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def test_prometheus_scrapes_without_a_warning(prometheus: Prometheus) -> None:
    """The target is up, and every rule that is shipped was loaded and could be evaluated."""
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    (group,) = prometheus.ask("rules")["groups"]
    assert len(group["rules"]) >= 15
    wait_until(
        lambda: all(r["health"] == "ok" for r in prometheus.ask("rules")["groups"][0]["rules"]),
        "every rule was evaluated",
        SETTLE_SECONDS,
    )


def test_no_rule_wakes_anybody_for_a_sound_store(prometheus: Prometheus) -> None:
    """Nothing fires, nor would after a while, on a server that only met clients."""
    rules = prometheus.ask("rules")["groups"][0]["rules"]
    loud = {rule["name"] for rule in rules if rule["state"] != "inactive"}
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    disk = {"S4DiskNearlyFull", "S4DiskFillsSoon", "S4InodesNearlyGone"}  # whoever else fills it
    busy = {"S4CommitSlow"}  # for a while: one slow commit of few is over 1 %
    assert loud <= disk | busy
    assert firing <= disk


def test_no_panel_is_empty(prometheus: Prometheus) -> None:
    """Each expression of each dashboard is understood by Prometheus and has a result."""
    empty = [
        (title, expression)
        for title, expression in panels()
        if not prometheus.value(concrete(expression)) and title.rpartition(": ")[2] not in SILENT
    ]
    assert not empty
