"""`manage.py damaged`: what is in quarantine, and the objects it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s4project.bucket_list import BucketsUnknownError, read_buckets
from s4project.care_command import Answer, CareCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import QuarantinedBlob, StorageEngine


class Command(CareCommand):
    help = (
        "Lists payloads whose stored bytes were found wrong, and every object and unfinished "
        "upload that they are in. Putting the same content again heals all of them. "
        "Exit code 1 when there are any."
    )

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        del options, progress, should_stop
        blobs = engine.quarantined()
        if not blobs:
            return Answer({"blobs": []}, ["Nothing is damaged."], [])
        users = users_of(engine, blobs)
        found = [
            blob._asdict() | {"sha256": blob.sha256.hex(), "users": users[blob.sha256]}
            for blob in blobs
        ]
        return Answer({"blobs": found}, listed(found), [problem(blob) for blob in found])

    def show(self, answer: Answer) -> None:
        """Say each payload with its objects below it."""
        for line in answer.lines:
            self.stdout.write(line)


def users_of(
    engine: StorageEngine, blobs: list[QuarantinedBlob]
) -> dict[bytes, list[dict[str, str]]]:
    """Find the objects and uploads that payloads are in; looks at all keys of the store."""
    try:
        names = read_buckets()
    except BucketsUnknownError:
        names = {}  # the numbers say as much as there is to say
    users: dict[bytes, list[dict[str, str]]] = {blob.sha256: [] for blob in blobs}
    for user in engine.users(users.keys()):
        users[user.sha256].append(
            {
                "bucket": names.get(user.bucket_id, f"number {user.bucket_id}"),
                "key": user.key,
                "version_id": user.version_id,
                "upload_id": user.upload_id,
            }
        )
    return users


def problem(blob: dict[str, Any]) -> str:
    """Say what is wrong with a payload."""
    where = f"volume {blob['volume_id']} at {blob['offset']}"
    return f"{blob['sha256']}  {blob['size']:,} bytes, {where}: {blob['reason']}"


def listed(blobs: list[dict[str, Any]]) -> list[str]:
    """Say each payload, and what it is in."""
    lines = []
    for blob in blobs:
        lines.append(problem(blob))
        for user in blob["users"]:
            which = f" upload {user['upload_id']}" if user["upload_id"] else ""
            version = f" version {user['version_id']}" if user["version_id"] else ""
            lines.append(f"  {user['bucket']}/{user['key']}{version}{which}")
    return lines
