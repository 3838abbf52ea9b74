"""What a request says of its object: headers that say nothing need not be searched for it."""

from __future__ import annotations

from s3api.http.request import Request
from s3api.operations import grants, tags
from s3api.operations.attributes import _SILENT, refuse_unkept, stored_headers


async def nothing() -> dict[str, object]:
    """Receive no body."""
    return {"type": "http.request"}


def test_silent_headers_say_nothing_of_the_object() -> None:
    """With every header that is passed over, a search comes to the same: the type alone is kept."""
    names = sorted(_SILENT)
    scope = {
        "method": "PUT",
        "scheme": "http",
        "raw_path": b"/bucket/key",
        "query_string": b"",
        "headers": [(name, b"text/plain") for name in names],
    }
    request = Request(scope, nothing)
    refuse_unkept(request)
    assert stored_headers(request) == {"content-type": "text/plain"}
    assert _SILENT.isdisjoint({tags.HEADER.encode(), *grants._NAMES})
