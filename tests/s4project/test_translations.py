"""Whether all that the console says can be said in another language: told by one made for it.

In that language each sentence stands between marks. What a page shows without them was never handed
to gettext.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

import pytest
from django.urls import get_resolver
from django.utils.translation import deactivate, trans_real

from tests.people import browser
from tests.s4project.test_console_access import make_rows, pages
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

OPEN, CLOSE = "\u00ab", "\u00bb"
WORD: Final = re.compile(r"[A-Za-z]{2,}")
CONTEXT: Final = "\x04"
# What is no page, and pages of documentation, which is in English: of settings, and of changes.
DOCUMENTATION: Final = {"logout/", "settings/in-force/", "settings/version/"}
# Elements whose text is no prose, and attributes that people read or hear.
SILENT: Final = {"script", "style", "code", "pre", "textarea", "title"}
TOLD: Final = {"title", "placeholder", "aria-label", "alt", "data-label"}
VOID: Final = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "path", "rect"}
# Names: of things, of units, of what the pages here show.
NAMES: Final = re.compile(
    r"(?<!\w)(?:S4|S3|AWS|CLI|JSON|XML|CSV|UTC|REST|OIDC|TLS|[KMGTP]iB|Ctrl|"
    r"Reader|Writer|SuperUser|rita|wilma|foreigner|boss|box|group|inline|policy|role|"
    r"bytes?|esc|__main__\.py|/\w+/|system:\w+|us-east-1|"
    r"DELETE|GET|HEAD|POST|PUT|content-type, x-amz-meta-a|https://example\.com|"
    r"logs/|reports/|backup-of-laptop|true|"
    r"align_engine|compact|finish_deletions|forget|lifecycle|prune_audit|reclaim|scrub|snapshot|"
    r"watch_quotas|[2-5]xx|[A-Z][a-z]+[A-Z][A-Za-z0-9]+|"
    r"(?:iam|s3|s4|aws):[\w:*-]+|arn:[\w:*/-]+|S4AK\w+|[0-9a-f]{8,})(?!\w)"
)
# What rows say that S4 makes by itself, and decisions, which are told in the same words everywhere.
DATA: Final = (
    *("Lists and reads what is the user's own.",),
    *("Makes buckets, and does everything with what is the user's own.",),
    *("Everything everywhere, and the administration of S4.",),
    *('Policy "Writer" of the role', 'Inline policy "inline" of the user'),
)


class Marked:
    """A language of which every sentence stands between marks."""

    def gettext(self, message: str) -> str:
        """Mark a sentence."""
        return OPEN + message.rsplit(CONTEXT, maxsplit=1)[-1] + CLOSE

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """Mark the sentence for a number."""
        return self.gettext(singular if number == 1 else plural)

    def language(self) -> str:
        """Name the language whose numbers and dates are written."""
        return "en-us"

    to_language = language


@contextmanager
def in_marks() -> Iterator[None]:
    """Speak that language for a block."""
    trans_real._active.value = Marked()
    try:
        yield
    finally:
        deactivate()


class Reader(HTMLParser):
    """Gathers what a page says outside of marks."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.marks = 0  # that are open
        self.unmarked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read what an element says in attributes."""
        if tag not in VOID:
            is_code = "policy-code" in (dict(attrs).get("class") or "")
            self.open.append("code" if is_code else tag)
        for name, value in attrs:
            if name in TOLD:
                self.read(self.without_marks(value or ""))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if tag not in VOID and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        """Read a text."""
        left = self.without_marks(data)
        icon = re.fullmatch(r"\s*[a-z]+(_[a-z]+)*\s*", data) and self.open[-1:] == ["span"]
        if not icon and not SILENT & set(self.open):
            self.read(left)

    def without_marks(self, text: str) -> str:
        """Leave out what stands between marks, which may be around several elements."""
        left = []
        for character in text:
            self.marks += character == OPEN
            left.append(" " if self.marks else character)
            self.marks -= character == CLOSE
        return "".join(left)

    def read(self, text: str) -> None:
        """Keep what has words in it that are no names."""
        for sentence in DATA:
            text = text.replace(sentence, "")
        if WORD.search(NAMES.sub(" ", text)):
            self.unmarked.append(" ".join(text.split()))


@pytest.mark.usefixtures("transactional_db")
def test_what_the_pages_say_can_be_translated(settings: SettingsWrapper, tmp_path: Path) -> None:
    """No page of a SuperUser or a Writer says a word that was not handed to gettext."""
    found: dict[str, str] = {}
    with opened(settings, tmp_path):
        ids = make_rows()
        people = [browser("boss"), browser("wilma")]
        for page in sorted(set(pages(get_resolver()))):
            model = page.split("/")[1] if page.count("/") > 1 else ""
            for person in people if page not in DOCUMENTATION else ():
                with in_marks():
                    answer = person.get("/" + page.replace("?", str(ids.get(model, 1))))
                if not answer.headers["Content-Type"].startswith("text/html"):
                    continue
                reader = Reader()
                reader.feed(answer.content.decode())
                found |= {text: page for text in reader.unmarked if text not in found}
    told = sorted(f"{page}: {text}" for text, page in found.items())
    assert not told, "\n".join(told)
