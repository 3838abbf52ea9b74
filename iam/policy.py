"""What a principal may do: a pure decision, deny by default. Knows no Django, no request.

Actions carry AWS's names:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iam.keyring import Role

if TYPE_CHECKING:
    from iam.keyring import Principal

_WITHOUT_BUCKET: Final = {
    Role.READER: frozenset({"s3:ListAllMyBuckets"}),
    Role.WRITER: frozenset({"s3:ListAllMyBuckets", "s3:CreateBucket"}),
}
_ON_OWN_BUCKETS: Final = {
    Role.READER: ("s3:Get", "s3:List", "s3:Head"),
    Role.WRITER: ("s3:",),
}


def is_allowed(principal: Principal, action: str, bucket_owner: str | None) -> bool:
    """Whether `principal` may do `action`, such as "s3:GetObject".

    `bucket_owner` is the canonical id of the owner of the bucket concerned; None when the action
    concerns no existing bucket. A SuperUser may do everything; a Writer may create buckets and do
    everything on his own; a Reader may read his own; nobody may do anything else.
    """
    if principal.role is Role.SUPERUSER:
        return True
    if action in _WITHOUT_BUCKET[principal.role]:
        return True
    return bucket_owner == principal.canonical_id and action.startswith(
        _ON_OWN_BUCKETS[principal.role]
    )
