"""Reads pages of listings in good company: what takes long is read while others are served.

A page of a thousand keys in a row takes a millisecond, and a thread would cost a tenth more. But a
page may have to look for what it shows between a thousand folders or delete markers, and the index
may have to come from the disk first: such a page is given up soon, and read in a thread.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.context import Store
    from storage_engine import ListedVersion, Listing

    Page = Listing[ListedVersion]
    Look = Callable[[float], Page]

SECONDS_AT_ONCE: Final = 0.002


async def read_page(store: Store, look: Look, limit: int) -> Page:
    """Read a page of so many items.

    `look` reads it, but ends it, with an item at least, after so many seconds.
    """
    page = look(SECONDS_AT_ONCE)
    if page.is_truncated and len(page) < limit:
        # All of it anew: what was read is of one commit, and the rest would be of a later one.
        page = await store.on_disk(look, math.inf)
    return page
