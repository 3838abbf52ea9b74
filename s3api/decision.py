"""A decision that waits for the object it depends on: whose it is, what its ACL grants.

Who may list the bucket is told that an object is not there; anybody else is denied, for the
difference between 403 and 404 would list it for him (API_GetObject, "Permissions").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iam import policy
from iam.policy import Verdict
from s3api.errors import S3Error

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from iam.keyring import Principal
    from storage_engine import ObjectAttributes, ObjectInfo


@dataclass(slots=True)
class OpenDecision:
    """Whether `principal` may do `action` to an object of `bucket`; no answer until settled."""

    principal: Principal | None
    action: str
    bucket: BucketState
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
        if not policy.decide_object(
            self.principal, self.action, self.bucket, attributes.owner, attributes.grants
        ):
            raise S3Error("AccessDenied")

    def settle_missing(self) -> None:
        """Decide for an object that is not there; S3Error AccessDenied.

        Deleting it succeeds, and tells nothing.
        """
        self.is_settled = True
        if self.action == policy.DELETE_OBJECT:
            return
        if policy.decide(self.principal, "s3:ListBucket", self.bucket) is not Verdict.ALLOW:
            raise S3Error("AccessDenied")
