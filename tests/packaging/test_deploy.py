"""The files in deploy/ and the Dockerfile, read by the tools that know what they must be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from s4project.configuration import load
from tests.packaging.context import ROOT, is_sent, tracked
from tests.packaging.dockerfile import read_stages

DEPLOY = ROOT / "deploy"
COMPOSE = ("compose.yaml", "compose.full.yaml")
TOOLS = Path(sys.executable).parent
EXPOSURE_MAX = 1.5


def composed(name: str) -> dict[str, Any]:
    """Read a compose file."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return read


def said(*command: str | Path) -> str:
    """Run a tool that must find nothing, and answer what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_dockerfile_is_without_reproach() -> None:
    """Hadolint has nothing to say."""
    assert said(TOOLS / "hadolint", ROOT / "Dockerfile") == ""


def test_the_image_runs_what_it_holds() -> None:
    """Entrypoint and health are asked of the wheel's command: no checkout is in the image."""
    image = read_stages(ROOT / "Dockerfile")[-1]
    assert image.told("ENTRYPOINT").command == ["s4"]
    for verb in ("HEALTHCHECK", "CMD"):
        assert "manage.py" not in " ".join(image.told(verb).command)


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_is_one(name: str) -> None:
    """Each fits the schema of the Compose specification."""
    said(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / name)


@pytest.mark.parametrize("name", COMPOSE)
def test_what_a_compose_file_names_is_there(name: str) -> None:
    """Volumes, secrets and the files it mounts exist; each service waits for healthy ones only."""
    read = composed(name)
    for service in read["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            known = (DEPLOY / source).exists() if source.startswith(".") else source
            assert known is True or known in read["volumes"], volume
        assert set(service.get("secrets", [])) <= read.get("secrets", {}).keys()
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert other == "s4" or "healthcheck" in read["services"][other]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_secrets_that_are_made_are_those_that_are_needed(tmp_path: Path) -> None:
    """make-secrets makes each file once, hidden from other users, and S4 understands them."""
    shutil.copy2(DEPLOY / "make-secrets", tmp_path)
    said(tmp_path / "make-secrets")
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    full = composed("compose.full.yaml")
    assert {f"secrets/{name}" for name in made} == {row["file"] for row in full["secrets"].values()}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    said(tmp_path / "make-secrets")
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made
    environment = {
        variable: path.replace("/run/secrets", str(tmp_path / "secrets"))
        for variable, path in full["services"]["s4"]["environment"].items()
    }
    configuration = load(environment)
    assert configuration.problems == ()
    assert made["postgres_password"] in configuration.database_url
    assert configuration.root_password == made["s4_root_password"]


def test_the_build_is_sent_what_it_copies_and_no_more() -> None:
    """.dockerignore lets through what the Dockerfile copies; no secret, no data, no test."""
    sent = [name for name in tracked() if is_sent(name)]
    for stage in read_stages(ROOT / "Dockerfile"):
        for step in stage.steps:
            if step.verb == "COPY" and not step.words[0].startswith("--from="):
                for source in step.words[:-1]:
                    assert source == "." or source in sent
    kept_out = (
        "deploy/secrets/root",
        "data/s4.sqlite3",
        ".git/config",
        ".env",
        "tests/conftest.py",
    )
    assert [name for name in kept_out if is_sent(name)] == []
    assert {name.partition("/")[0] for name in sent} == {
        *("s4project", "s3api", "buckets", "iam", "storage_engine", "templates", "deploy"),
        *("pyproject.toml", "requirements-runtime.lock", "README.md", "LICENSE", "CHANGELOG.md"),
    }
    assert [name for name in sent if name.startswith("deploy/")] == ["deploy/build.lock"]


def needed(program: str, package: str) -> str:
    """Find a program of the system, or leave the test out; CI must have it."""
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed, and CI must have it")
        pytest.skip(f"{program} is not installed (Debian's package {package})")
    return program


def test_prometheus_understands_its_configuration() -> None:
    """The configuration beside the compose file is one, and has the rules that there are."""
    configuration = DEPLOY / "prometheus" / "prometheus.yml"
    said(needed("promtool", "prometheus"), "check", "config", "--syntax-only", configuration)
    named = yaml.safe_load(configuration.read_text(encoding="utf-8"))["rule_files"]
    assert named == [path.name for path in DEPLOY.glob("prometheus/*.rules.yml")]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Answer the unit with a command that this machine has: that of the wheel is elsewhere."""
    needed("systemd-analyze", "systemd")
    text = (DEPLOY / "s4.service").read_text(encoding="utf-8")
    copied = tmp_path / "s4.service"
    copied.write_text(text.replace("/usr/local/bin/s4 ", "/bin/true "), encoding="utf-8")
    return copied


def test_systemd_understands_every_line_of_the_unit(unit: Path) -> None:
    """systemd-analyze verifies the unit without a word."""
    assert said("systemd-analyze", "verify", "--man=no", unit) == ""


def test_the_unit_keeps_s4_in_a_narrow_room(unit: Path) -> None:
    """The exposure that systemd-analyze counts stays what docs/deployment.md says."""
    counted = said("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    exposure = re.search(r"exposure level for s4\.service: ([\d.]+)", counted)
    assert exposure is not None
    assert float(exposure[1]) <= EXPOSURE_MAX
