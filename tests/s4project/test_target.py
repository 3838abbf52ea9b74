"""A request's target is split as httptools does it, which most targets do not need."""

from __future__ import annotations

import httptools
import pytest

from s4project.edge import split_target

PIECES = [bytes([code]) for code in range(256)] + [
    b"//",
    b"??",
    b"?#",
    b"#?",
    b"%2F",
    b"/../",
    b":@",
]
PLACES = [b"/%b", b"/a%bb", b"/a?%b", b"/?x%by?z", b"/%b?%b", b"/a?b#%b"]


class Heard:
    """What the parser of requests says of one, unless it refuses it."""

    def __init__(self, target: bytes) -> None:
        self.url = b""
        self.is_taken = False
        try:
            httptools.HttpRequestParser(self).feed_data(
                b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target
            )
        except httptools.HttpParserError:
            self.is_taken = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.url += url

    def on_headers_complete(self) -> None:
        """Take note that the head is one."""
        self.is_taken = True


@pytest.mark.parametrize("place", PLACES)
def test_a_target_is_split_as_the_parser_of_urls_splits_it(place: bytes) -> None:
    """Whatever the parser of requests lets through, path and query are those of httptools."""
    taken = 0
    for piece in PIECES:
        heard = Heard(place.replace(b"%b", piece))
        if heard.is_taken:
            taken += 1
            url = httptools.parse_url(heard.url)
            assert split_target(heard.url) == (url.path or b"/", url.query or b"")
    assert taken > 80


def test_a_target_with_a_host_is_split_too() -> None:
    """The absolute form, as proxies are sent it, has its path after the host, or none."""
    assert split_target(b"http://a:9000/b/c?d=e") == (b"/b/c", b"d=e")
    assert split_target(b"http://a") == (b"/", b"")
