"""The changelog as the console shows it: the few forms of Markdown that it is written in.

Text is text: what is no heading, list, code, strong word or link stands as it was written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils.html import format_html, format_html_join

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.utils.safestring import SafeString

INLINE: Final = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<text>[^\]]+)\]\((?P<url>[^)]+)\)"
)


class Changes(NamedTuple):
    """One kind of changes of a release: "Added", "Fixed" ..."""

    title: str
    items: list[SafeString]


class Release(NamedTuple):
    """A release: its heading, what is said of it, and its changes."""

    title: str
    notes: list[SafeString]
    changes: list[Changes]


def read_changelog(path: Path) -> list[Release]:
    """Read the releases, newest first; none where there is no file."""
    if not path.exists():
        return []
    releases: list[Release] = []
    for mark, text in _blocks(path.read_text(encoding="utf-8")):
        if mark == "##":
            releases.append(Release(text, [], []))
        elif not releases:
            continue  # what stands before the first release is about the file
        elif mark == "###":
            releases[-1].changes.append(Changes(text, []))
        elif mark == "-" and releases[-1].changes:
            releases[-1].changes[-1].items.append(show_text(text))
        else:
            releases[-1].notes.append(show_text(text))
    return releases


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading, item and paragraph with its mark, in one line."""
    mark, lines = "", list[str]()
    for line in [*text.splitlines(), ""]:
        found = re.match(r"(#{1,3}|-) +", line)
        if (found or not line.strip()) and lines:
            yield mark, " ".join(lines)
            mark, lines = "", []
        if found:
            mark, lines = found[1], [line[found.end() :]]
        elif line.strip():
            lines.append(line.strip())


def show_text(text: str) -> SafeString:
    """Show a line; a link into the documentation, which is not served, as its words."""
    parts: list[tuple[SafeString | str]] = []
    end = 0
    for found in INLINE.finditer(text):
        parts += [(text[end : found.start()],), (_marked(found),)]
        end = found.end()
    return format_html_join("", "{}", [*parts, (text[end:],)])


def _marked(found: re.Match[str]) -> SafeString | str:
    if found["code"]:
        return format_html("<code>{}</code>", found["code"])
    if found["strong"]:
        return format_html("<strong>{}</strong>", found["strong"])
    if found["url"].startswith("https://"):
        return format_html('<a href="{}" rel="noreferrer">{}</a>', found["url"], found["text"])
    return found["text"]
