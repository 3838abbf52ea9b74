"""What a call is told of the engine's refusal, which may be more than strangers may know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam.hearing import LIST_BUCKET
from s3api.operations.policy_question import hear
from s3api.operations.translate import quota_figures, s3_error
from storage_engine import EngineError, QuotaExceeded, QuotaHolder

if TYPE_CHECKING:
    from s3api.context import Call
    from s3api.errors import S3Error


def refusal(call: Call, error: EngineError) -> S3Error:
    """Say the engine's error in S3's words, and the figures of a quota to who may know them."""
    if isinstance(error, QuotaExceeded) and _may_know(call, error.holder):
        return quota_figures(error, call.target)
    return s3_error(error, call.target)


def _may_know(call: Call, holder: QuotaHolder) -> bool:
    """Whether the caller may know what is held: REST tells the same people.

    A bucket's totals may be known to who may list it, what all buckets of a user hold to himself
    and to SuperUsers. Whoever may only write, perhaps anybody, would else measure with every
    refusal how much there is, and how large what he would replace.
    """
    hearing = hear(call, call.bucket)
    if not hearing.decide_bucket(LIST_BUCKET).is_allowed:
        return False
    principal = call.principal
    return holder is QuotaHolder.BUCKET or (
        principal is not None
        and (principal.is_super or principal.canonical_id == call.bucket.owner_canonical_id)
    )
