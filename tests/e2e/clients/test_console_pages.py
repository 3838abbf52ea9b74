"""Every page of the console in a real browser: it opens, fits, and keeps nobody from using it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.clients.household import furnish
from tests.e2e.clients.installed import LONG, Runner, node_story, system
from tests.e2e.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tell = Callable[..., str]

pytestmark = pytest.mark.e2e

# The everyday command opens each kind of page once; the view is the one in which most goes wrong.
VIEWS: Final = [
    ("dark", "phone"),
    *([("light", "desktop"), ("dark", "desktop"), ("light", "phone")] if LONG else []),
]
PAGES_PER_KIND: Final = "2" if LONG else "1"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server whose store has something for every page to show."""
    with running(tmp_path_factory.mktemp("home")) as server:
        s3 = server.client()
        furnish(server, s3)
        s3.close()
        yield server


@pytest.fixture
def tell(home: Server, tmp_path_factory: pytest.TempPathFactory) -> Tell:
    """Answer what tells a story of programs/console_pages.cjs."""
    environment = {
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{home.console_port}",
        "PASSWORD": home.settings["root_password"],
    }
    run = Runner(home, tmp_path_factory.mktemp("run"))
    return lambda *story, program="console_pages": node_story(run, program, *story, **environment)


@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_every_page_can_be_used_by_everybody(tell: Tell, theme: str, width: str) -> None:
    """Every page that a SuperUser finds opens without complaint of the browser or of axe-core."""
    tell("pages", theme, width, PAGES_PER_KIND)


def test_first_contact_takes_few_steps(tell: Tell) -> None:
    """Who has never seen S4 shares a file, and gives out a key for one bucket, in 17 steps."""
    tell("contact", program="console_first")
