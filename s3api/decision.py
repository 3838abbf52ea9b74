"""Decisions that wait for the object they depend on, and refusals that say why.

Whose the object is, and what its ACL grants, is known only once it has been found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iam.documents import Effect
from iam.hearing import LIST_BUCKET
from iam.policy import Cause, Decision, Verdict
from s3api.errors import S3Error

if TYPE_CHECKING:
    from iam.hearing import Hearing
    from storage_engine import ObjectAttributes, ObjectInfo

MESSAGE_CHARACTERS_MAX: Final = 2_000  # a key has at most 1,024 bytes
# How AWS calls the policies of each side.
_KINDS: Final = {
    Cause.IDENTITY: "identity-based",
    Cause.BUCKET: "resource-based",
    Cause.KEY: "session",
}


class Denied(S3Error):  # noqa: N818  # AWS's word
    """AccessDenied by policies and ACLs; `reason` is for the log, and never for strangers."""

    def __init__(self, reason: str, *, is_told: bool, is_anonymous: bool) -> None:
        super().__init__("AccessDenied", reason[:MESSAGE_CHARACTERS_MAX] if is_told else None)
        self.reason, self.is_anonymous = reason, is_anonymous

    def untold(self) -> Denied:
        """Keep the reason for the log alone."""
        return Denied(self.reason, is_told=False, is_anonymous=self.is_anonymous)


def denial(hearing: Hearing, action: str, decision: Decision) -> Denied:
    """Make the refusal of an action that is decided against.

    Whoever is of the bucket's account is told why, and anybody else is not, as in AWS:
    troubleshoot-403-errors.html, "Access denied message examples". All users of a store are under
    one administration: what a policy of his own says, and that he is denied in spite of it, each
    of them may know.
    """
    is_told = (
        decision.cause in {Cause.IDENTITY, Cause.KEY}
        or _is_of_the_house(hearing)
        or hearing.ask(action).identity.effect is not Effect.NONE
    )
    return _denied(hearing, action, _why(action, decision), is_told=is_told)


def blocked(hearing: Hearing, action: str, what: str, setting: str) -> Denied:
    """Make the refusal of what a bucket's public access block does not let anybody do.

    The words are those of the same page.
    """
    why = f"because public {what} are prevented by the {setting} setting in S3 Block Public Access."
    return _denied(hearing, action, why, is_told=_is_of_the_house(hearing))


def _is_of_the_house(hearing: Hearing) -> bool:
    """Whether the bucket is the caller's own, or to be, or he administers all."""
    principal, bucket = hearing.principal, hearing.bucket
    return principal is not None and (
        bucket is None or principal.is_super or principal.canonical_id == bucket.owner_canonical_id
    )


def _denied(hearing: Hearing, action: str, why: str, *, is_told: bool) -> Denied:
    principal = hearing.principal
    who = "anonymous" if principal is None else principal.arn
    return Denied(
        f"User: {who} is not authorized to perform: {action}{_on(hearing, action)} {why}",
        is_told=is_told,
        is_anonymous=principal is None,
    )


def _on(hearing: Hearing, action: str) -> str:
    """Name the resource, where there is one: seen at AWS, s3:ListAllMyBuckets has none."""
    if hearing.name is None:
        return ""
    return f' on resource: "{hearing.question(action).resource}"'


def _why(action: str, decision: Decision) -> str:
    """Say whose word it is in AWS's words."""
    kind = _KINDS.get(decision.cause, "identity-based")
    if decision.answer.effect is Effect.DENY:
        article = "an" if kind.startswith("i") else "a"
        return f"with an explicit deny in {article} {kind} policy"
    return f"because no {kind} policy allows the {action} action"


@dataclass(slots=True)
class OpenDecision:
    """Whether the caller may do `action` to an object; no answer until settled."""

    hearing: Hearing
    action: str
    is_settled: bool = False

    def settle(self, info: ObjectInfo | None) -> None:
        """Decide for an object, None for one that is not there; S3Error AccessDenied."""
        if info is None:
            self.settle_missing()
        else:
            self.settle_attributes(info.attributes)

    def settle_attributes(self, attributes: ObjectAttributes) -> None:
        """Decide for what is the owner's of `attributes`: an object or an upload."""
        self.is_settled = True
        decision = self.hearing.decide_object(
            self.action, attributes.tags, attributes.owner, attributes.grants
        )
        if not decision.is_allowed:
            raise self._denial(self.action, decision)

    def settle_missing(self) -> None:
        """Decide for an object that is not there; S3Error AccessDenied."""
        self.is_settled = True
        action, decision = self.hearing.decide_missing(self.action)
        if decision.verdict is Verdict.DENY:
            raise self._denial(action, decision)

    def _denial(self, action: str, decision: Decision) -> Denied:
        """Refuse in words that tell only who may list whether there is such an object."""
        refusal = denial(self.hearing, action, decision)
        if self.hearing.decide_bucket(LIST_BUCKET).is_allowed:
            return refusal
        unseen = self.hearing.decide_bucket(self.action)
        if unseen.verdict is Verdict.DENY:
            return denial(self.hearing, self.action, unseen)
        return refusal.untold()
