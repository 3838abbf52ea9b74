"""Reads pages of listings in good company: what takes long is read while others are served.

A page of a thousand keys in a row takes a millisecond, and a thread would cost a tenth more. But a
page may have to look for what it shows between a thousand folders or delete markers, and the index
may have to come from the disk first: such a page is begun at once and finished in a thread.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.context import Store
    from storage_engine import ListedVersion, Listing

    Page = Listing[ListedVersion]
    Look = Callable[[str, str, int, float], Page]

SECONDS_AT_ONCE: Final = 0.002


async def read_page(store: Store, look: Look, key: str, version_id: str, limit: int) -> Page:
    """Read a page of so many items that goes on behind a version of a key.

    `look` reads such a page too, but ends it, with an item at least, after so many seconds.
    """
    page = look(key, version_id, limit, SECONDS_AT_ONCE)
    left = limit - len(page)
    if not (page.is_truncated and left):
        return page
    rest = await store.on_disk(look, page.next_key, page.next_version_id, left, math.inf)
    return page.continued(rest)
