"""The one way to ask all policies about an action: requests take it, and so do explanations.

Pure: knows no Django and no request. Who asks, about what, and a way to look up what else policies
may depend on make a `Hearing`; it puts the question, hears every side and decides by `iam.policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from iam import policy
from iam.acl import ANONYMOUS_ID
from iam.actions import OF_OBJECT, may_have
from iam.documents import SILENT, Effect, Question
from iam.grammar import ARN
from iam.policy import BY_OBJECT, Said, Verdict
from iam.resources import OBJECT_TAG
from iam.rights import NO_RIGHTS

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


class _Context(dict[str, Any]):
    """The condition keys of one question: each is found out when a policy first asks for it."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[str], Sequence[str] | None]) -> None:
        self._find = find

    def __missing__(self, key: str) -> Sequence[str] | None:
        value = self[key] = self._find(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        value = self[key]
        return default if value is None else value


class Hearing:
    """Everybody who has a say in what one caller may do in one place.

    The caller is a user, perhaps by a key with a policy of its own (`narrowing`); None did not
    sign. `bucket` is None where there is none yet: then `name` is what it would be called, None for
    what concerns no bucket. `is_prefix`: it is about whatever keys there are that begin with `key`.
    `keyring` knows whose account is whose.
    """

    __slots__ = (
        *("_document", "bucket", "is_plain", "is_prefix", "key", "keyring", "look", "name"),
        *("narrowing", "principal", "rights"),
    )

    def __init__(  # noqa: PLR0913  # all that is heard
        self,
        principal: Principal | None,
        narrowing: Policy | None,
        bucket: Place | None,
        name: str | None,
        key: str | None,
        keyring: Keyring,
        look: Look,
        is_prefix: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.principal, self.narrowing, self.bucket = principal, narrowing, bucket
        self.name, self.key, self.is_prefix = name, key, is_prefix
        self.keyring, self.look = keyring, look
        # What all policies of the user say together.
        self.rights = rights = NO_RIGHTS if principal is None else principal.rights
        self._document = document = None if bucket is None else bucket.policy
        # Whether no policy may speak of some keys and not of others.
        self.is_plain = document is None and narrowing is None and rights.is_plain

    @property
    def caller_id(self) -> str:
        """Canonical id of who asks; nobody has one too."""
        return ANONYMOUS_ID if self.principal is None else self.principal.canonical_id

    # --- asking --------------------------------------------------------------------------------

    def question(self, action: str, tags: Tags | None = None, owner: str | None = None) -> Question:
        """Put a question about `action` in the words of policies, with all that they may ask for.

        `tags` are those of the object that is there, where that is known; `owner` is the canonical
        id of whose it is, None: the bucket's owner's.
        """
        question = self._question(action, tags, owner)
        asked = (each.keys for each in (self._document, self.narrowing) if each is not None)
        keys = self.rights.keys.union(question.context, *asked)
        found = {key: question.context.get(key) for key in keys}
        known = {key: values for key, values in found.items() if values is not None}
        return structs.replace(question, context=known)

    def _question(self, action: str, tags: Tags | None, owner: str | None) -> Question:
        """As `question`, of which nothing is known yet."""
        resource = ANYTHING if self.name is None else ARN + self.name
        if self.key is not None and action in OF_OBJECT:
            resource = f"{resource}/{self.key}"

        def find(key: str) -> Sequence[str] | None:
            return self._value(key, tags, owner) if may_have(action, key) else None

        context = _Context(find)
        if action == LIST_BUCKET and self.key is not None:
            context["s3:prefix"] = (self.key,)  # whether a key is there: a list of its name
        names = NO_NAMES if self.principal is None else self.principal.names
        return Question(action, resource, names, context, self.is_prefix)

    def ask(self, action: str, tags: Tags | None = None, owner: str | None = None) -> Said:
        """Hear what all policies say of an action."""
        principal, rights = self.principal, self.rights
        question = None if self.is_plain else self._question(action, tags, owner)
        if principal is None:
            identity = SILENT
        elif question is None or rights.is_plain:
            identity = rights.ask_plain(action, is_own=self._is_own(principal, owner))
        else:
            identity = rights.ask(question)
        if question is None:
            return Said(identity)
        key = None if self.narrowing is None else self.narrowing.ask(question)
        return Said(identity, policy.ask_bucket(principal, self.bucket, question), key)

    def _is_own(self, principal: Principal, owner: str | None) -> bool:
        """Tell whether what is asked about is the user's; what is not there yet is."""
        if owner is None:
            if self.bucket is None:
                return True
            owner = self.bucket.owner_canonical_id
        return owner == principal.canonical_id

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
        question = structs.replace(self.question(action), is_prefix=is_prefix)
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


def is_plainly_allowed(principal: Principal, action: str, bucket: Place) -> bool:
    """Whether S4's own roles allow a user something in a bucket where nobody else has a say.

    So it is most often, and then it is allowed whatever key it is about. Whatever else has to be
    heard is no: it takes a `Hearing`.
    """
    if bucket.policy is not None or bucket.has_acls:
        return False
    rights = principal.rights
    if not rights.is_plain:
        return False
    is_own = principal.canonical_id == bucket.owner_canonical_id
    return rights.ask_plain(action, is_own=is_own).effect is Effect.ALLOW


def find_tag(tags: Tags, folded: str) -> str | None:
    """Find a tag by a key that a policy names, whose keys have no case."""
    return next((value for name, value in tags.items() if name.lower() == folded), None)
