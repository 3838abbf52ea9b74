"""Policy documents before they are saved: understood whole, and within AWS's limits.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from typing import Final

from iam.documents import read_identity_policy
from iam.errors import InvalidPolicyDocument, LimitExceeded
from iam.grammar import MalformedPolicy
from iam.policy_words import place_of_error

MANAGED_CHARACTERS_MAX: Final = 6_144
KEY_CHARACTERS_MAX: Final = 2_048  # as AWS's session policies
INLINE_CHARACTERS_MAX: Final = {"user": 2_048, "group": 5_120, "role": 10_240}  # all together
ATTACHED_MAX: Final = 10


def check_document(text: str, *, field: str = "document") -> None:
    """Raise InvalidPolicyDocument for a policy of an identity that is not understood whole."""
    try:
        read_identity_policy(text)
    except MalformedPolicy as error:
        # JSON can spell halves of characters, which no answer can carry.
        place = "" if "Statement " in str(error) else place_of_error(text)
        reason = f"{error} ({place})" if place else str(error)
        reason = reason.encode(errors="replace").decode()
        raise InvalidPolicyDocument(reason, field) from error


def check_managed(text: str) -> None:
    """Check a managed policy; InvalidPolicyDocument, LimitExceeded."""
    if size(text) > MANAGED_CHARACTERS_MAX:
        raise LimitExceeded(
            f"Cannot exceed quota for PolicySize: {MANAGED_CHARACTERS_MAX}. So many characters "
            f"without white space are the most; here are {size(text)}."
        )
    check_document(text)


def check_narrowing(text: str) -> None:
    """Check the policy of an access key, "" for none; InvalidPolicyDocument, LimitExceeded."""
    if len(text) > KEY_CHARACTERS_MAX:
        raise LimitExceeded(
            f"The policy of a key has at most {KEY_CHARACTERS_MAX:,} characters; this one has "
            f"{len(text):,}.",
            "policy",
        )
    if text:
        check_document(text, field="policy")


def size(text: str) -> int:
    """Count the characters of a document as AWS does: without white space."""
    return sum(not character.isspace() for character in text)
