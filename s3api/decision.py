"""A decision that waits for the object it depends on: whose it is, what its ACL grants.

Who may list the bucket is told that an object is not there; anybody else is denied, for the
difference between 403 and 404 would list it for him (API_GetObject, "Permissions").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iam import policy
from iam.policy import Decision, Verdict
from s3api.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from buckets.registry import BucketState
    from iam.keyring import Principal
    from iam.policy import Said
    from storage_engine import ObjectAttributes, ObjectInfo

    Ask = Callable[[str, dict[str, str] | None, str | None], Said]

LIST_BUCKET: Final = "s3:ListBucket"


@dataclass(slots=True)
class OpenDecision:
    """Whether `principal` may do `action` to an object of `bucket`; no answer until settled.

    `ask` asks the policies about an action, knowing the tags of the object that is there, and
    whose it is when it is not the bucket's owner's.
    """

    principal: Principal | None
    action: str
    bucket: BucketState
    ask: Ask
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
        said = self.ask(self.action, attributes.tags, None)
        if self._decide(self.action, said).verdict is not Verdict.BY_OBJECT:
            return
        owner = attributes.owner
        if owner != self.bucket.owner_canonical_id:
            said = self.ask(self.action, attributes.tags, owner)
        decision = policy.decide_object(
            self.principal, self.action, self.bucket, owner, attributes.grants, said
        )
        if not decision.is_allowed:
            raise S3Error("AccessDenied")

    def settle_missing(self) -> None:
        """Decide for an object that is not there; S3Error AccessDenied.

        Deleting it succeeds, and tells nothing. Else who might do the action if it were there is
        told when he may also list under the key's name.
        """
        self.is_settled = True
        self._decide(self.action, self.ask(self.action, None, None))
        if self.action == policy.DELETE_OBJECT:
            return
        if not self._decide(LIST_BUCKET, self.ask(LIST_BUCKET, None, None)).is_allowed:
            raise S3Error("AccessDenied")

    def _decide(self, action: str, said: Said) -> Decision:
        decision = policy.decide(self.principal, action, self.bucket, said)
        if decision.verdict is Verdict.DENY:
            raise S3Error("AccessDenied")
        return decision
