"""A decision that waits for the object it depends on: whose it is, what its ACL grants.

Who may list the bucket is told that an object is not there; anybody else is denied, for the
difference between 403 and 404 would list it for him (API_GetObject, "Permissions").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iam import policy
from iam.documents import Effect
from iam.policy import Verdict
from s3api.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from buckets.registry import BucketState
    from iam.keyring import Principal
    from storage_engine import ObjectAttributes, ObjectInfo

LIST_BUCKET: Final = "s3:ListBucket"


@dataclass(slots=True)
class OpenDecision:
    """Whether `principal` may do `action` to an object of `bucket`; no answer until settled.

    `ask` asks the bucket's policy about an action, knowing the tags of the object that is there.
    """

    principal: Principal | None
    action: str
    bucket: BucketState
    ask: Callable[[str, dict[str, str] | None], Effect]
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
        effect = self.ask(self.action, attributes.tags)
        verdict = self._decide(self.action, effect)
        if verdict is Verdict.BY_OBJECT and not policy.decide_object(
            self.principal, self.action, self.bucket, attributes.owner, attributes.grants, effect
        ):
            raise S3Error("AccessDenied")

    def settle_missing(self) -> None:
        """Decide for an object that is not there; S3Error AccessDenied.

        Deleting it succeeds, and tells nothing. A policy that denies the action denies it here too;
        else who may list under the key's name is told.
        """
        self.is_settled = True
        effect = self.ask(self.action, None)
        if effect is Effect.DENY or self.action == policy.DELETE_OBJECT:
            self._decide(self.action, effect)
            return
        if self._decide(LIST_BUCKET, self.ask(LIST_BUCKET, None)) is not Verdict.ALLOW:
            raise S3Error("AccessDenied")

    def _decide(self, action: str, effect: Effect) -> Verdict:
        verdict = policy.decide(self.principal, action, self.bucket, effect)
        if verdict is Verdict.DENY:
            raise S3Error("AccessDenied")
        return verdict
