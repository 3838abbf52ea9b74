"""The documentation's site in a real browser: from one host alone, both themes, on a phone."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.clients.installed import CLIENTS, LONG, PROGRAMS, missing, system
from tests.e2e.server import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

SITE: Final = ROOT / "docs" / "_build" / "html"
EVERYDAY: Final = ["docs/index.html", "docs/settings.html", "docs/access-matrix.html"]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """Serve the site as any host of files would."""
    if not (SITE / "index.html").exists() and "CI" not in os.environ:
        pytest.skip("make docs builds the site")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_site_is_read_from_one_host(origin: str) -> None:
    """No page asks another host, fails or is wider than a phone, and the search finds its page."""
    packages = CLIENTS / "javascript" / "node_modules"
    if not packages.exists():
        missing("playwright")
    pages = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    told = subprocess.run(
        [
            system("node"),
            "-e",
            "require(process.argv[1]).look(...process.argv.slice(2))",
            str(PROGRAMS / "site_stories.cjs"),
            origin,
            *([page for page in pages if page != "index.html"] if LONG else EVERYDAY),
        ],
        env=os.environ | {"NODE_PATH": str(packages), "CHROMIUM": system("chromium")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout) == []
