"""Whether a call is refused, as a value: for tests of what may happen either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s3api.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal_of(call: Callable[..., object], *arguments: Any, **options: Any) -> S3Error | None:
    """Answer the refusal a call ends in; None when it goes through."""
    try:
        call(*arguments, **options)
    except S3Error as refusal:
        return refusal
    return None


def code_of(call: Callable[..., object], *arguments: Any, **options: Any) -> str | None:
    """Answer the code a call is refused with; None when it goes through."""
    refusal = refusal_of(call, *arguments, **options)
    return None if refusal is None else refusal.code
