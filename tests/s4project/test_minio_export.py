"""Users, groups, policies and keys of a MinIO: what of its export becomes what here."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.core.management import call_command

from iam import services
from iam.errors import InvalidIdentity
from s4project.minio_export import read_export
from tests.stores import opened

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper


def policy(*actions: str) -> dict[str, Any]:
    """Write a policy as MinIO exports it."""
    resource = "arn:aws:s3:::films/*"
    statements = [{"Effect": "Allow", "Action": [a], "Resource": [resource]} for a in actions]
    return {"Version": "2012-10-17", "Statement": statements}


NEVER: Final = "1970-01-01T00:00:00Z"
FILES: Final[dict[str, dict[str, Any]]] = {
    "policies": {
        "consoleAdmin": policy("admin:*", "kms:*", "s3:*"),
        "watch": policy("s3:GetObject"),
        "mixed": policy("s3:PutObject", "admin:ServerInfo"),
        "odd": policy("s3:ListenBucketNotification"),
    },
    "users": {
        "mia": {"secretKey": "mias-secret", "status": "enabled"},
        "boss": {"secretKey": "boss-secret", "status": "enabled"},
        "gone": {"secretKey": "gone-secret", "status": "disabled"},
    },
    "groups": {"crew": {"version": 1, "status": "enabled", "members": ["mia"]}},
    "user_mappings": {
        "mia": {"version": 1, "policy": "mixed,odd"},
        "boss": {"version": 1, "policy": "consoleAdmin"},
    },
    "group_mappings": {"crew": {"version": 1, "policy": "watch"}},
    "svcaccts": {
        "MIASKEY": {
            "parent": "mia",
            "accessKey": "MIASKEY",
            "secretKey": "a-second-secret",
            "sessionPolicy": policy("s3:GetObject"),
            "status": "off",
            "name": "player",
            "expiration": NEVER,
        },
        "ROOTSKEY": {
            "parent": "minioadmin",
            "accessKey": "ROOTSKEY",
            "secretKey": "a-third-secret",
            "sessionPolicy": None,
            "status": "on",
            "name": "",
            "description": "backup",
            "expiration": "2099-01-01T00:00:00Z",
        },
    },
}


def write(path: Path, files: dict[str, dict[str, Any]]) -> Path:
    """Write an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"iam-assets/{name}.json", json.dumps(content))
    return path


def run(archive: Path) -> tuple[Any, dict[str, Any]]:
    """Call the command; return its exit code and what it said."""
    out = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("import_minio_users", str(archive), "--json", stdout=out, stderr=io.StringIO())
    return end.value.code, json.loads(out.getvalue())


@pytest.mark.usefixtures("transactional_db")
def test_an_export_of_minio_is_taken_over(settings: SettingsWrapper, tmp_path: Path) -> None:
    """All that has a meaning here is made, with the same keys; each other thing is named."""
    archive = write(tmp_path / "minio-iam-info.zip", FILES)
    (tmp_path / "data").mkdir()
    with opened(settings, tmp_path / "data"):
        code, told = run(archive)
        assert (code, told["made"]) == (
            1,
            {
                "policy": ["watch", "mixed"],
                "group": ["crew"],
                "user": ["mia", "boss", "gone"],
                "access key": ["MIASKEY", "ROOTSKEY"],
            },
        )
        mixed, odd, held = told["problems"]
        assert mixed == "policy mixed: what it says of administering MinIO is left out"
        assert odd.startswith("policy odd: ")
        assert held == "user mia: there is no policy odd"

        mia, boss, gone = map(services.find_user, ("mia", "boss", "gone"))
        assert (mia.role_id, boss.role_id) == (None, "SuperUser")
        assert (mia.is_active, gone.is_active) == (True, False)
        assert [group.name for group in mia.groups.all()] == ["crew"]
        assert [policy.name for policy in mia.policies.all()] == ["mixed"]
        keys = {key.access_key: key for key in services.list_keys()}
        assert (keys["mia"].user, keys["MIASKEY"].user) == (mia, mia)
        assert (keys["MIASKEY"].is_enabled, keys["MIASKEY"].expires_at) == (False, None)
        assert "films" in keys["MIASKEY"].policy
        root = keys["ROOTSKEY"]
        assert (root.user.is_root, root.name, root.policy) == (True, "backup", "")
        assert root.expires_at is not None
        assert root.expires_at.isoformat() == "2099-01-01T00:00:00+00:00"
        credential = services.load_keyring().find("mia")
        assert credential is not None
        assert credential.secret_key == "mias-secret"

        assert (run(archive)[0], run(archive)[1]["made"]) == (1, {})


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    """A file that is no archive, and an archive of something else, make nothing."""
    other = write(tmp_path / "other.zip", {"notes": {}})
    text = tmp_path / "text.zip"
    text.write_text("no archive")
    for path in (other, text, tmp_path / "missing.zip"):
        with pytest.raises(InvalidIdentity):
            read_export(str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users", {"mia": {"status": "enabled"}}),
        ("users", ["mia"]),
        ("policies", {"watch": {"Statement": "all"}}),
        ("groups", {"crew": {"members": "mia"}}),
        ("svcaccts", {"KEY": FILES["svcaccts"]["MIASKEY"] | {"expiration": "tomorrow"}}),
    ],
)
def test_what_minio_would_not_write_is_refused_whole(
    tmp_path: Path, name: str, content: Any
) -> None:
    """An export with something of another form makes nothing, and is told what is wrong with it."""
    archive = write(tmp_path / "odd.zip", FILES | {name: content})
    with pytest.raises(InvalidIdentity, match="not as MinIO writes it"):
        read_export(str(archive))


@pytest.mark.usefixtures("transactional_db")
def test_a_user_without_his_key_is_not_made(settings: SettingsWrapper, tmp_path: Path) -> None:
    """Whom S4 cannot give the key that he had is named and not made: the next run finds no half."""
    users = {"mia": {"secretKey": "short", "status": "enabled"}}
    archive = write(tmp_path / "half.zip", {"policies": FILES["policies"], "users": users})
    (tmp_path / "data").mkdir()
    with opened(settings, tmp_path / "data"):
        code, told = run(archive)
        assert (code, "user" in told["made"]) == (1, False)
        assert any(problem.startswith("user mia: ") for problem in told["problems"])
        users["mia"]["secretKey"] = "long-enough"
        again = write(tmp_path / "whole.zip", {"policies": FILES["policies"], "users": users})
        assert run(again)[1]["made"]["user"] == ["mia"]
