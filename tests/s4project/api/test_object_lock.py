"""Retention and legal hold of a version over HTTP: as S3 decides them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.calling import Program
from tests.s4project.api.filling import put

if TYPE_CHECKING:
    from iam.models import User

PATH = "/admin/buckets/vault"
UNTIL, SOONER, LATER = (f"20{year}-01-01T00:00:00.007000Z" for year in (90, 89, 91))
NEVER = {"mode": None, "retain_until": None}


@pytest.fixture
def program(ada: User) -> Program:
    """Make a bucket with Object Lock and an object, and a program of its owner."""
    program = Program(ada)
    assert program.put("/admin/buckets/vault", {"object_lock": True}).status == 201
    put("vault", "a/k", is_versioned=True)
    return program


def test_a_bucket_is_made_with_object_lock(program: Program, boss: User) -> None:
    """It has Object Lock and versions at once, also one that is made for another."""
    other = {"owner": "ada", "object_lock": True}
    assert Program(boss).put("/admin/buckets/others", other).status == 201
    for name in ("vault", "others"):
        path = f"/admin/buckets/{name}"
        assert program.get(f"{path}/object-lock").body["is_enabled"] is True
        assert program.get(f"{path}/versioning").body == {"status": "Enabled"}


def test_a_retention_is_given_extended_and_taken_off(program: Program) -> None:
    """It becomes longer as it likes, and shorter by bypass alone."""
    path = f"{PATH}/retention?key=a/k"
    assert program.get(path).body == NEVER
    governed = {"mode": "GOVERNANCE", "retain_until": UNTIL}
    assert program.put(path, governed).status == 204
    assert program.get(path).body == governed
    assert program.put(path, governed | {"retain_until": LATER}).status == 204
    shorter = governed | {"retain_until": SOONER}
    assert program.put(path, shorter).status == 403
    assert program.delete(path).status == 403
    assert program.put(path, shorter | {"bypass_governance": True}).status == 204
    assert program.get(path).body == shorter
    assert program.delete(f"{path}&bypass_governance=true").status == 204
    assert program.get(path).body == NEVER


def test_compliance_gives_way_to_nobody(program: Program, boss: User) -> None:
    """No bypass helps, and no SuperUser: not even force empties the bucket."""
    path = f"{PATH}/retention?key=a/k"
    assert program.put(path, {"mode": "COMPLIANCE", "retain_until": UNTIL}).status == 204
    superuser = Program(boss)
    assert superuser.delete(f"{path}&bypass_governance=true").status == 403
    sooner = {"mode": "COMPLIANCE", "retain_until": SOONER, "bypass_governance": True}
    assert superuser.put(path, sooner).status == 403
    assert superuser.delete(f"{PATH}?force=true").status in {403, 409}


def test_a_hold_comes_and_goes(program: Program) -> None:
    """It is of one version, by id or the current one, and null where there never was one."""
    version_id = "null"
    path = f"{PATH}/legal-hold?key=a/k"
    assert program.get(path).body == {"status": None}
    for status in ("ON", "OFF"):
        assert program.put(path, {"status": status}).status == 204
        assert program.get(path).body == {"status": status}
    told = program.get(f"{path}&version_id={version_id}")
    assert (told.status, bool(told.error)) == (404, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/retention", None, 400),
        ("GET", "/retention?key=none", None, 404),
        ("GET", "/retention?key=a/k&version_id=x", None, 400),
        ("PUT", "/retention?key=a/k", {"mode": "GOVERNANCE"}, 400),
        ("PUT", "/retention?key=a/k", {"retain_until": UNTIL}, 400),
        ("PUT", "/retention?key=a/k", {"mode": "FOREVER", "retain_until": UNTIL}, 400),
        ("PUT", "/retention?key=a/k", {"mode": "GOVERNANCE", "retain_until": "soon"}, 400),
        (
            "PUT",
            "/retention?key=a/k",
            {"mode": "GOVERNANCE", "retain_until": "2020-01-01T00:00:00Z"},
            400,
        ),
        ("PUT", "/legal-hold?key=a/k", {}, 400),
        ("PUT", "/legal-hold?key=a/k", {"status": "on"}, 400),
        ("PUT", "/legal-hold?key=none", {"status": "ON"}, 404),
        ("DELETE", "/legal-hold?key=a/k", None, 405),
    ],
)
def test_a_lock_that_cannot_be_is_refused(
    program: Program, method: str, path: str, body: dict[str, str] | None, status: int
) -> None:
    """What is half given, past or unknown is refused with a sentence, and nothing is locked."""
    told = program.send(method, PATH + path, body)
    assert (told.status, bool(told.error)) == (status, True)
    assert program.get(f"{PATH}/retention?key=a/k").body == NEVER


def test_a_bucket_without_object_lock_says_so(program: Program) -> None:
    """There nothing can be retained, and nothing is said of retention but that."""
    program.put("/admin/buckets/plain")
    put("plain", "k")
    told = program.get("/admin/buckets/plain/retention?key=k")
    assert (told.status, told.error) == (400, "Bucket is missing Object Lock Configuration")
