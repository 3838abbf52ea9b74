"""The event loop whose requests wait for mutations, as the engine sees it.

It is asked to carry out what is brief, where it is busy anyway, and when no more is about to come.
Knows no loop: whoever has one lends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Host(Protocol):
    """One loop, for as long as it runs."""

    def call_soon(self, call: Callable[[], None]) -> object:
        """Call something in its thread, from another; RuntimeError once it has ended."""

    def after_a_round(self, call: Callable[[], None]) -> object:
        """Call something, of its own thread, once it has looked into its sockets again."""

    def is_here(self) -> bool:
        """Whether the caller is in its thread."""

    def is_at_rest(self) -> bool:
        """Whether all whom it serves wait for mutations, so that it sleeps; no more than a hint."""
