"""s3cmd, with settings as docs/clients.md gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.clients.installed import installed
from tests.e2e.server import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.clients.installed import Runner


def s3cmd_of(run: Runner, *settings: str) -> Callable[..., str]:
    """Answer what runs s3cmd with more lines in its settings."""
    program = installed("s3cmd")
    host = run.server.url.removeprefix("http://")
    lines = [
        "[default]",
        f"access_key = {ACCESS_KEY}",
        f"secret_key = {SECRET_KEY}",
        f"host_base = {host}",
        f"host_bucket = {host}",
        "bucket_location = us-east-1",
        "use_https = False",
        "multipart_chunk_size_mb = 5",
        "max_retries = 0",
        "progress_meter = False",
        *settings,
    ]
    (run.home / ".s3cfg").write_text("\n".join(lines) + "\n")
    return lambda *arguments: run(program, *arguments)
