"""What happened, as it is noted beside a request and written down a moment later.

Knows no Django.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iam.audit.acting import Actor


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
