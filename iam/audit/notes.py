"""What happened, as it is noted beside a request and written down a moment later.

Knows no Django.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from iam.audit.acting import Actor

KEYS_TO_A_NOTE: Final = 8  # measured: so many listed keys cost about as much as a plain note


class Outcome(StrEnum):
    """How it went."""

    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Note:
    """An entry that is not yet written; `time_ms` is epoch milliseconds."""

    time_ms: int
    actor: Actor
    action: str
    resource: str
    outcome: Outcome
    detail: dict[str, Any] = field(default_factory=dict)


def weight(note: Note) -> int:
    """Tell how many plain notes a note counts for; a DeleteObjects may list a thousand keys."""
    return 1 + len(note.detail.get("keys", ())) // KEYS_TO_A_NOTE
