"""Every request that changes something, against every lock: what must stay, stays byte for byte.

One object for each path and each lock, in buckets that keep versions: as a version of its own id,
or as the null version that was put before. What a path may do follows from the lock alone; a
handler without a row fails. The short form tries half of the pairs, the long one all.
"""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from botocore.exceptions import ClientError

from s3api.operations.registry import HANDLERS
from s3api.operations.unconfigured import UNCONFIGURED
from tests.e2e.browsing import Browser
from tests.e2e.lock_paths import (
    COMPLIANCE,
    ELSEWHERE,
    GOVERNANCE,
    HARMLESS,
    PLACES,
    ROWS,
    STATES,
    Cell,
    Row,
    Stage,
    State,
)
from tests.e2e.processes import wait_until
from tests.e2e.test_rest import PASSWORD, call, log_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

LONG: Final = bool(os.environ.get("S4_TEST_LONG"))
SETTINGS: Final = {"lifecycle_day_seconds": "1"}
OVER_SECONDS: Final = 3  # of one that is given at once
SOON_SECONDS: Final = 4  # a retention of so long is over once the stage is set
PROTECTED: Final = "Access Denied because object protected by object lock."
LOCKED: Final = (403, "AccessDenied", PROTECTED)


def test_every_handler_has_a_row() -> None:
    """An operation that is new is tried, or named as one that touches no version."""
    changes = {name for name in HANDLERS if not name.startswith(("Get", "Head", "List"))}
    tried = {name for row in ROWS.values() for name in row.operations.split()}
    assert changes - UNCONFIGURED.keys() == tried | {*HARMLESS, *ELSEWHERE}


# --- the stage ----------------------------------------------------------------------------------


def pairs() -> list[tuple[str, str, str]]:
    """List the cells to be tried: in the short form half of them, each lock beside each path's."""
    found = []
    for number, path in enumerate(ROWS):
        for turn, (name, state) in enumerate(STATES.items()):
            places = PLACES[:1] if state.is_default else PLACES  # null versions were before it
            if not LONG:
                at = number + turn
                places = places[at // 2 % len(places) :][:1] if at % 2 else ()
            found += [(path, name, place) for place in places]
    return found


def _buckets(root: BaseClient) -> dict[str, str]:
    """Make a bucket for each default, and one that is only about to keep versions."""
    names = {"own": "lock-own", "null": "lock-null", GOVERNANCE: "lock-gov", COMPLIANCE: "lock-com"}
    for kind, name in names.items():
        root.create_bucket(Bucket=name, ObjectLockEnabledForBucket=kind != "null")
        if kind in {GOVERNANCE, COMPLIANCE}:
            rule = {"DefaultRetention": {"Mode": kind, "Days": 1}}
            root.put_object_lock_configuration(
                Bucket=name,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
            )
    return names


def _lay(root: BaseClient, cell: Cell, late: datetime, soon: datetime) -> None:
    """Lay on a version what its bucket did not."""
    state = cell.state
    if state.mode and not state.is_default:
        until = late if state.is_late else soon
        retention = {"Mode": state.mode, "RetainUntilDate": until}
        root.put_object_retention(**cell.version, Retention=retention)
    if state.has_hold:
        root.put_object_legal_hold(**cell.version, LegalHold={"Status": "ON"})


@pytest.fixture(scope="module")
def stage(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Make all cells, then wait until the short retentions are over."""
    root = server.client()
    buckets = _buckets(root)
    cells = {}
    for path, name, place in pairs():
        state = STATES[name]
        bucket = buckets[state.mode if state.is_default else place]
        cells[path, name, place] = Cell(bucket, f"{path}/{name}/k", state, place)
    for cell in cells.values():
        cell.version_id = root.put_object(**cell.name, Body=cell.body).get("VersionId", "null")
    root.put_bucket_versioning(
        Bucket=buckets["null"], VersioningConfiguration={"Status": "Enabled"}
    )
    on = {"ObjectLockEnabled": "Enabled"}
    root.put_object_lock_configuration(Bucket=buckets["null"], ObjectLockConfiguration=on)
    now = datetime.now(UTC).replace(microsecond=0)
    late, soon = now + timedelta(days=1), now
    for cell in sorted(cells.values(), key=lambda cell: cell.state.is_late):
        if not cell.state.is_late:
            soon = datetime.now(UTC) + timedelta(seconds=SOON_SECONDS)
        _lay(root, cell, late, soon)
    keeper = _keeper(server, tmp_path_factory.mktemp("policies"))
    wait_until(lambda: datetime.now(UTC) > soon, "the end of short retentions", 30)
    yield Stage(server, root, keeper, late, cells)
    root.close()
    keeper.close()


def _keeper(server: Server, folder: Path) -> BaseClient:
    """Make somebody who may do everything but go past governance."""
    says = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:BypassGovernanceRetention", "Resource": "*"},
    ]
    policy = folder / "keeper.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": says}), encoding="utf-8")
    server.manage_json("create_user", "keeper")
    server.manage_json("put_inline_policy", "keeper", str(policy), "--user", "keeper")
    key = server.manage_json("create_key", "keeper")
    return server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )


def refused(stage: Stage, row: Row, cell: Cell) -> tuple[int, str, str] | None:
    """Go a path; answer what it was refused with."""
    try:
        row.go(stage, cell)
    except ClientError as error:
        told = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, told["Code"], told.get("Message", "")
    return None


@pytest.mark.parametrize("path", ROWS)
def test_what_is_locked_stays(stage: Stage, path: str) -> None:
    """A path takes a version away or is refused, in S3's words, as the version's lock says."""
    row = ROWS[path]
    for (of, name, place), cell in stage.cells.items():
        if of != path:
            continue
        told = (path, name, place)
        lock = stage.lock(cell)
        error = refused(stage, row, cell)
        is_bound = row.takes and cell.state.is_bound(bypass=row.bypass)
        if row.refusal is not None:
            assert error is not None, told
            assert error[:2] == row.refusal, told
        else:
            assert error == (LOCKED if is_bound else None), told
        is_kept = is_bound or not row.takes or row.refusal is not None
        assert stage.stays(cell) == is_kept, told
        if is_kept and not (row.relocks and cell.state.has_hold):
            assert stage.lock(cell) == lock, told


# --- what acts on whole buckets -----------------------------------------------------------------


def made(stage: Stage, prefix: str, name: str) -> Cell:
    """Make a bucket with one version, and a newer one over it."""
    cell = Cell(f"{prefix}-{name}", "k", STATES[name], "own")
    stage.root.create_bucket(Bucket=cell.bucket, ObjectLockEnabledForBucket=True)
    cell.version_id = stage.root.put_object(**cell.name, Body=cell.body)["VersionId"]
    _lay(stage.root, cell, stage.until, datetime.now(UTC) + timedelta(seconds=OVER_SECONDS))
    return cell


def short_ends() -> None:
    """Wait until the short retentions that were made are over."""
    time.sleep(OVER_SECONDS + 0.1)


ALONE: Final = [name for name, state in STATES.items() if not state.is_default]


def test_lifecycle_keeps_what_is_locked(stage: Stage) -> None:
    """Rules under which everything is due hide a locked version, and remove all others."""
    cells = [made(stage, "life", name) for name in ALONE]
    short_ends()
    rule = {
        "ID": "r",
        "Status": "Enabled",
        "Filter": {},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    for cell in cells:
        stage.root.put_bucket_lifecycle_configuration(
            Bucket=cell.bucket, LifecycleConfiguration={"Rules": [rule]}
        )
    free = [cell for cell in cells if not cell.state.is_bound(bypass=False)]

    def is_done() -> bool:
        assert stage.server.manage("lifecycle").returncode == 0
        return not any(map(stage.stays, free))

    wait_until(is_done, "all that is due is gone", 60)
    assert [cell.bucket for cell in cells if stage.stays(cell)] == [
        cell.bucket for cell in cells if cell.state.is_bound(bypass=False)
    ]
    stage.server.verify()


@pytest.mark.parametrize("name", ALONE)
def test_a_bucket_is_not_emptied_of_what_is_locked(stage: Stage, name: str) -> None:
    """REST's deletion by force is refused as S3 refuses it."""
    cell = made(stage, "force", name)
    if not cell.state.is_late:
        short_ends()
    token = log_in(stage.server)
    told = call(stage.server, "DELETE", f"/admin/buckets/{cell.bucket}?force=true", token=token)
    if cell.state.is_bound(bypass=False):
        assert told.status == 403
        assert PROTECTED in json.dumps(told.body)
        assert stage.stays(cell)
    else:
        assert told.status == 204


def test_the_console_deletes_no_bucket_with_a_version(stage: Stage) -> None:
    """Its button does what DeleteBucket does, for root too, whatever the lock."""
    cells = [made(stage, "console", name) for name in ALONE]
    browser = Browser(stage.server)
    browser.log_in("root", PASSWORD)
    buckets, _ = browser.get("/buckets/bucket/")
    for cell in cells:
        found = re.search(rf'href="([^"]+)change/"[^>]*>{cell.bucket}<', buckets)
        assert found is not None
        assert "empty" in browser.fill_in(f"{found[1]}delete/", post="yes")
        assert stage.stays(cell)


@pytest.mark.parametrize("name", ALONE)
def test_rest_asks_the_same_locks(stage: Stage, name: str) -> None:
    """A retention is taken off over REST by whom S3 would let."""
    cell = made(stage, "rest", name)
    if not cell.state.is_late:
        short_ends()
    token = log_in(stage.server)
    lock = stage.lock(cell)
    where = f"/admin/buckets/{cell.bucket}/retention?key=k&version_id={cell.version_id}"
    is_retained = State(cell.state.mode, cell.state.is_late).is_bound(bypass=False)
    told = call(stage.server, "DELETE", where, token=token)
    assert told.status == (403 if is_retained else 204), told.body
    if is_retained:
        assert PROTECTED in json.dumps(told.body)
        assert stage.lock(cell) == lock
    told = call(stage.server, "DELETE", f"{where}&bypass_governance=true", token=token)
    is_compliant = is_retained and cell.state.mode == COMPLIANCE
    assert told.status == (403 if is_compliant else 204), told.body
    assert stage.stays(cell)
