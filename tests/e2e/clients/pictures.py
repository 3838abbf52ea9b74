"""Takes the pictures of docs/images (`make screenshots`): the console of a furnished store.

Each name after the program's own is a picture to take; without one, all are taken.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.e2e.clients.household import furnish
from tests.e2e.clients.installed import Runner, node_story, system
from tests.e2e.server import ROOT, running

IMAGES: Final = ROOT / "docs" / "images"
DARK: Final = ("dashboard", "browse-object")  # what is shown in both themes


def main() -> None:
    """Take them."""
    with tempfile.TemporaryDirectory() as directory, running(Path(directory) / "s4") as server:
        s3 = server.client()
        furnish(server, s3)
        s3.close()
        home = Path(directory) / "home"
        home.mkdir()
        environment = {
            "CHROMIUM": system("chromium"),
            "CONSOLE": f"http://127.0.0.1:{server.console_port}",
            "PASSWORD": server.settings["root_password"],
        }
        for theme, names in (("light", sys.argv[1:]), ("dark", DARK)):
            take = ("console_pictures", "take", str(IMAGES), theme, *names)
            node_story(Runner(server, home), *take, **environment)


if __name__ == "__main__":
    main()
