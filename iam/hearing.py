"""The one way to ask all policies about an action: requests take it, and so do explanations.

Pure: knows no Django and no request. Who asks, about what, and a way to look up what else policies
may depend on make a `Hearing`; it puts the question, hears every side and decides by `iam.policy`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iam import policy
from iam.acl import ANONYMOUS_ID
from iam.actions import OF_OBJECT, may_have
from iam.documents import Effect, Question
from iam.grammar import ARN
from iam.policy import BY_OBJECT, Said, Verdict
from iam.resources import OBJECT_TAG
from iam.rights import NO_RIGHTS, Rights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iam.documents import Policy
    from iam.keyring import Keyring, Principal
    from iam.policy import Decision, Place

    # The values of a condition key, in lower case, that only the request knows; None: it lacks it.
    Look = Callable[[str], Sequence[str] | None]
    Tags = dict[str, str]
    Grants = tuple[tuple[str, str], ...]

LIST_BUCKET: Final = "s3:ListBucket"
ANYTHING: Final = f"{ARN}*"  # the resource of what concerns no bucket: ListAllMyBuckets
NOTHING_SAID: Final = Said()
NO_NAMES: Final = frozenset[str]()
ACCOUNT_KEYS: Final = frozenset({"aws:resourceaccount", "s3:resourceaccount"})
# Keys that say who asks, by the field of a principal that has the value.
PRINCIPAL_KEYS: Final = {
    "aws:principalaccount": "account_id",
    "aws:principalarn": "arn",
    "aws:userid": "canonical_id",
    "aws:username": "username",
}
PRINCIPAL_TYPE: Final = "aws:principaltype"
# Actions to an object that is there: its tags may decide, and whether it is there is not told to
# everybody.
_WITH_OBJECT: Final = frozenset(
    f"s3:{verb}Object{version}{what}"
    for version in ("", "Version")
    for verb, what in (
        *(("Get", ""), ("Get", "Acl"), ("Put", "Acl"), ("Get", "Attributes")),
        *(("Get", "Tagging"), ("Put", "Tagging"), ("Delete", "Tagging")),
        # Of a version too, by one name: what a lock is to be, its document says.
        *(("Get", "Retention"), ("Put", "Retention"), ("Get", "LegalHold"), ("Put", "LegalHold")),
    )
)


@dataclass(slots=True)
class Hearing:
    """Everybody who has a say in what one caller may do in one place.

    The caller is a user, perhaps by a key with a policy of its own (`narrowing`); None did not
    sign. `bucket` is None where there is none yet: then `name` is what it would be called, None for
    what concerns no bucket. `is_prefix`: it is about whatever keys there are that begin with `key`.
    """

    principal: Principal | None
    narrowing: Policy | None
    bucket: Place | None
    name: str | None
    key: str | None
    keyring: Keyring  # whose account is whose
    look: Look
    is_prefix: bool = False
    is_plain: bool = field(init=False)  # no policy may speak of some keys and not of others
    _document: Policy | None = field(init=False)
    _asked: frozenset[str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._document = None if self.bucket is None else self.bucket.policy
        self.is_plain = (
            self._document is None
            and self.narrowing is None
            and (self.principal is None or self.principal.rights.is_plain)
        )

    @property
    def rights(self) -> Rights:
        """What all policies of the user say together."""
        return NO_RIGHTS if self.principal is None else self.principal.rights

    @property
    def caller_id(self) -> str:
        """Canonical id of who asks; nobody has one too."""
        return ANONYMOUS_ID if self.principal is None else self.principal.canonical_id

    @property
    def _keys(self) -> frozenset[str]:
        """Name the condition keys that any of the policies may depend on; found out once."""
        if self._asked is None:
            asked = (self._document, self.narrowing)
            more = (each.keys for each in asked if each is not None)
            self._asked = self.rights.keys.union(*more)
        return self._asked

    # --- asking --------------------------------------------------------------------------------

    def question(self, action: str, tags: Tags | None = None, owner: str | None = None) -> Question:
        """Put a question about `action` in the words of policies.

        `tags` are those of the object that is there, where that is known; `owner` is the canonical
        id of whose it is, None: the bucket's owner's.
        """
        resource = ANYTHING if self.name is None else ARN + self.name
        if self.key is not None and action in OF_OBJECT:
            resource = f"{resource}/{self.key}"
        principal = self.principal
        context = {}
        for key in self._keys:
            values = self._value(key, tags, owner) if may_have(action, key) else None
            if values is not None:
                context[key] = values
        if action == LIST_BUCKET and self.key is not None:
            context["s3:prefix"] = (self.key,)  # whether a key is there: a list of its name
        names = NO_NAMES if principal is None else principal.names
        return Question(action, resource, names, context, self.is_prefix)

    def ask(self, action: str, tags: Tags | None = None, owner: str | None = None) -> Said:
        """Hear what all policies say of an action."""
        if self.is_plain:
            return self._ask_plain(action, owner)
        question = self.question(action, tags, owner)
        return policy.hear(self.principal, self.narrowing, self.bucket, question)

    def _ask_plain(self, action: str, owner: str | None) -> Said:
        """Hear S4's own roles where there is nothing else, which is most often so."""
        principal = self.principal
        if principal is None:
            return NOTHING_SAID
        if owner is None and self.bucket is not None:
            owner = self.bucket.owner_canonical_id
        is_own = owner is None or owner == principal.canonical_id
        return Said(principal.rights.ask_plain(action, is_own=is_own))

    def _value(self, key: str, tags: Tags | None, owner: str | None) -> Sequence[str] | None:
        """Find the values of a condition key; None: there are none."""
        principal = self.principal
        value: str | None
        if key in PRINCIPAL_KEYS:
            value = getattr(principal, PRINCIPAL_KEYS[key], None)
        elif key in ACCOUNT_KEYS:
            value = self._account(owner)
        elif key == PRINCIPAL_TYPE:
            value = "Anonymous" if principal is None else "User"
        elif key.startswith(OBJECT_TAG):
            value = find_tag(tags or {}, key.removeprefix(OBJECT_TAG))
        else:
            return self.look(key)
        return None if value is None else (value,)

    def _account(self, owner: str | None) -> str | None:
        """Name the account of whose the resource is; what is not there yet is the caller's."""
        if owner is None:
            owner = self.caller_id if self.bucket is None else self.bucket.owner_canonical_id
        holder = self.keyring.principal(owner)
        return holder.account_id if holder is not None else None

    # --- deciding ------------------------------------------------------------------------------

    def decide(self, action: str) -> Decision:
        """Decide before any object is looked at: it may turn out to depend on one."""
        is_early = self.bucket is None or self.is_prefix or action not in _WITH_OBJECT
        if is_early or self.is_plain:
            return self.decide_bucket(action)
        return BY_OBJECT

    def decide_bucket(self, action: str) -> Decision:
        """Decide as if there were no object, or none that is known."""
        return policy.decide(self.principal, action, self.bucket, self.ask(action))

    def decide_object(
        self, action: str, tags: Tags | None, owner: str, grants: Grants | None
    ) -> Decision:
        """Decide for an object, or an upload, of `owner`, with its tags and what its ACL grants."""
        bucket, principal = self.bucket, self.principal
        assert bucket is not None, "an object is in a bucket"
        said = self.ask(action, tags)
        decision = policy.decide(principal, action, bucket, said)
        if decision.verdict is not Verdict.BY_OBJECT:
            return decision
        if owner != bucket.owner_canonical_id:
            said = self.ask(action, tags, owner)
        return policy.decide_object(principal, action, bucket, owner, grants, said)

    def decide_missing(self, action: str) -> tuple[str, Decision]:
        """Decide for an object that is not there, and name the action that it hangs on.

        Deleting it succeeds, and tells nothing. Else who might do the action if it were there is
        told when he may also list under the key's name: the difference between 403 and 404 would
        list the bucket for anybody else (API_GetObject, "Permissions").
        """
        decision = self.decide_bucket(action)
        if decision.verdict is Verdict.DENY or action == policy.DELETE_OBJECT:
            return action, decision
        return LIST_BUCKET, self.decide_bucket(LIST_BUCKET)

    def might(self, action: str) -> bool:
        """Whether it may be allowed for anything that this is about, whatever a request will say.

        So it is worth offering; it is no right.
        """
        if self.decide_bucket(action).verdict is not Verdict.DENY:
            return True
        is_prefix = self.is_prefix and action in OF_OBJECT
        question = self.question(action)._replace(is_prefix=is_prefix)
        policies = (self._document, self.narrowing, *(each.policy for each in self.rights))
        said = {each.might(question) for each in policies if each is not None}
        return Effect.ALLOW in said and Effect.DENY not in said

    def is_own(self, action: str) -> bool:
        """Whether an allowed caller has his right by himself, not by the bucket's policy.

        The owner and SuperUsers have it whatever is said of them there.
        """
        principal, bucket = self.principal, self.bucket
        if principal is None or bucket is None:
            return False
        if principal.is_super or principal.canonical_id == bucket.owner_canonical_id:
            return True
        return self.ask(action).identity.effect is Effect.ALLOW


def find_tag(tags: Tags, folded: str) -> str | None:
    """Find a tag by a key that a policy names, whose keys have no case."""
    return next((value for name, value in tags.items() if name.lower() == folded), None)
