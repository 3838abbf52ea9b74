"""`manage.py damaged`: what is in quarantine, and the objects it is in."""

from __future__ import annotations

import sys
from typing import Any

from buckets.services import load_registry
from s4project.commands import StoreCommand
from storage_engine.apps import get_engine

EXIT_DAMAGED = 1


class Command(StoreCommand):
    help = (
        "Lists payloads whose stored bytes were found wrong, and every object and unfinished "
        "upload that they are in. Putting the same content again heals all of them. "
        "Exit code 1 when there are any."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if get_engine().stats().quarantined:
            sys.exit(EXIT_DAMAGED)

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        del options
        engine = get_engine()
        blobs = {blob.sha256: blob for blob in engine.quarantined()}
        names = {bucket.id: bucket.name for bucket in load_registry().all()} if blobs else {}
        users: dict[bytes, list[dict[str, str]]] = {sha256: [] for sha256 in blobs}
        for user in engine.users(blobs):
            users[user.sha256].append(
                {
                    "bucket": names.get(user.bucket_id, f"number {user.bucket_id}"),
                    "key": user.key,
                    "version_id": user.version_id,
                    "upload_id": user.upload_id,
                }
            )
        return [
            {
                **blob._asdict(),
                "sha256": sha256.hex(),
                "users": users[sha256],
            }
            for sha256, blob in blobs.items()
        ]

    def describe(self, answer: Any) -> str:
        if not answer:
            return "Nothing is damaged."
        lines = []
        for blob in answer:
            where = f"volume {blob['volume_id']} at {blob['offset']}"
            lines.append(f"{blob['sha256']}  {blob['size']:,} bytes, {where}: {blob['reason']}")
            for user in blob["users"]:
                which = f" upload {user['upload_id']}" if user["upload_id"] else ""
                version = f" version {user['version_id']}" if user["version_id"] else ""
                lines.append(f"  {user['bucket']}/{user['key']}{version}{which}")
        return "\n".join(lines)
