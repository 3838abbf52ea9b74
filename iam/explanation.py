"""Why somebody may, or may not, do something: a request's decision, with all that was heard for it.

Pure. It asks the `Hearing` that requests ask, in the same order, and puts the outcome into words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from iam.documents import Effect
from iam.policy import DELETE_OBJECT, NOBODY_ALLOWS, OF_POLICY, OF_UPLOAD, Cause, Verdict, hear

if TYPE_CHECKING:
    from iam.documents import Answer, Policy, Question
    from iam.hearing import Hearing
    from iam.policy import Decision


class Outcome(StrEnum):
    """What a request would meet."""

    ALLOWED = "allowed"
    DENIED = "denied"
    DEPENDS = "depends"  # on whose the upload is


class Thing(NamedTuple):
    """An object that is there: whose it is (canonical id), its tags, what its ACL grants."""

    owner: str
    tags: dict[str, str] | None = None
    grants: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What one policy says: `effect` is allow, deny or none, `statement` its Sid or number.

    `lacking` names, of each statement that only conditions keep from allowing, their keys.
    """

    source: str
    effect: str
    statement: str
    lacking: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer, why, and what to change; `source` and `statement` decided, where a policy did."""

    outcome: Outcome
    why: str
    advice: str
    who: str
    action: str
    resource: str
    cause: str
    source: str = ""
    statement: str = ""
    heard: tuple[Heard, ...] = ()


_GRANTED: Final = {
    Cause.BUCKET_ACL: "the bucket's ACL grants it",
    Cause.OBJECT_ACL: "the object's ACL grants it",
    Cause.OWNERSHIP: "nobody signed for the object either, so it is anybody's",
}


def explain(hearing: Hearing, action: str, thing: Thing | None = None) -> Explanation:
    """Explain what a request for `action` would meet; `thing` is the object, if there is one."""
    return _Telling(hearing, action, thing).explanation()


def refuse_all(hearing: Hearing, action: str, why: str, advice: str) -> Explanation:
    """Explain a denial that comes before any policy: no request is accepted."""
    telling = _Telling(hearing, action, None)
    telling.decision = NOBODY_ALLOWS
    return telling.made(Outcome.DENIED, why, advice, Cause.NOBODY)


class _Telling:
    """One explanation in the making."""

    def __init__(self, hearing: Hearing, action: str, thing: Thing | None) -> None:
        self.hearing, self.action, self.thing = hearing, action, thing
        self.asked, self.decision = action, hearing.decide(action)
        tags, owner = None, None
        if self.decision.verdict is Verdict.BY_OBJECT:
            if action in OF_UPLOAD:
                own = hearing.decide_object(action, None, hearing.caller_id, None)
                self.decision = self.decision if own.is_allowed else own
            elif thing is not None:
                tags = thing.tags
                owner = None if thing.owner == self._bucket_owner else thing.owner
                self.decision = hearing.decide_object(action, tags, thing.owner, thing.grants)
            else:
                self._miss()
        self.question = hearing.question(self.asked, tags, owner)

    def _miss(self) -> None:
        """Decide for what is not there: it hangs on the right to list, where the action has its."""
        own = self.hearing.decide_bucket(self.action)
        self.asked, self.decision = self.hearing.decide_missing(self.action)
        if own.is_allowed and self.decision.is_allowed:
            self.asked, self.decision = self.action, own

    @property
    def _bucket_owner(self) -> str | None:
        return self.hearing.bucket.owner_canonical_id if self.hearing.bucket is not None else None

    @property
    def who(self) -> str:
        principal = self.hearing.principal
        return "Who does not sign" if principal is None else principal.username

    @property
    def resource(self) -> str:
        return self.hearing.question(self.action).resource

    def explanation(self) -> Explanation:
        decision = self.decision
        if decision.verdict is Verdict.BY_OBJECT:
            if self.action == DELETE_OBJECT:  # of what is not there
                why = "there is no such object, and deleting it changes nothing"
                return self.made(Outcome.ALLOWED, self._may(why), "", Cause.BUCKET_ACL)
            why = "it is allowed for uploads that were begun by the same user, and for no others"
            return self.made(Outcome.DEPENDS, f"{self._what}: {why}.", "", Cause.NOBODY)
        if not decision.is_allowed:
            return self.made(Outcome.DENIED, self._may_not(), self._advice(), decision.cause)
        if self.action in OF_POLICY and not self.hearing.is_own(self.action):
            why = (
                "the bucket's policy allows it, but that right is the owner's, SuperUsers' and of "
                "those whose own policies allow it (405 MethodNotAllowed)"
            )
            return self.made(Outcome.DENIED, self._no(why), self._attach(), Cause.BUCKET)
        return self.made(Outcome.ALLOWED, self._may(self._because()), "", decision.cause)

    def made(self, outcome: Outcome, why: str, advice: str, cause: Cause) -> Explanation:
        principal = self.hearing.principal
        answer = self.decision.answer
        is_said = answer.effect is not Effect.NONE
        return Explanation(
            outcome=outcome,
            why=why,
            advice=advice,
            who="anonymous" if principal is None else principal.arn,
            action=self.action,
            resource=self.resource,
            cause=cause.name.lower(),
            source=self._source(self.decision) if is_said else "",
            statement=answer.statement,
            heard=tuple(self._heard()),
        )

    # --- in words ------------------------------------------------------------------------------

    @property
    def _what(self) -> str:
        return f"{self.action} on {self.resource}"

    def _may(self, why: str) -> str:
        return f"{self.who} may do {self._what}: {why}."

    def _no(self, why: str) -> str:
        return f"{self.who} may not do {self._what}: {why}."

    def _because(self) -> str:
        decision = self.decision
        if decision.answer.effect is not Effect.ALLOW:
            return _GRANTED[decision.cause]
        narrowed = "" if self.hearing.narrowing is None else ", and the access key's own policy too"
        return f"{self._statement(decision)} allows it{narrowed}"

    def _may_not(self) -> str:
        decision = self.decision
        if decision.answer.effect is Effect.DENY:
            return self._no(f"{self._statement(decision)} denies it")
        why = "no policy and no ACL allows it"
        if decision.cause is Cause.KEY:
            why = (
                "the access key's own policy does not allow it, and narrows the key to what it does"
            )
        elif self._is_kept:
            why = "the bucket's policy would allow it, but RestrictPublicBuckets is on"
        if self.asked == self.action:
            return self._no(why)
        return self._no(
            f"there is no such object, which only they are told who may list ({self.asked}), and "
            f"for that {why}"
        )

    def _statement(self, decision: Decision) -> str:
        return f"{_named(decision.answer)} of {self._source(decision)}"

    def _source(self, decision: Decision) -> str:
        if decision.cause is Cause.IDENTITY:
            return decision.answer.source
        return _KEY if decision.cause is Cause.KEY else self._of_bucket

    @property
    def _of_bucket(self) -> str:
        return f'the policy of the bucket "{self.hearing.name}"'

    # --- what to change ------------------------------------------------------------------------

    def _advice(self) -> str:
        decision = self.decision
        if decision.answer.effect is Effect.DENY:
            return f"Change or remove {self._statement(decision)}: a deny comes before every allow."
        return f"{self._attach()}{''.join(self._nearly())}"

    def _attach(self) -> str:
        hearing, what = self.hearing, f"{self.asked} on {self.question.resource}"
        if self.decision.cause is Cause.KEY:
            return f"Let the access key's policy allow {what}, or use a key that has none."
        if self._is_kept:
            return (
                "Let the bucket's policy name the users it is meant for, or turn off "
                "RestrictPublicBuckets."
            )
        if hearing.principal is None:
            is_own = hearing.bucket is None
            return (
                "Sign the request: only users may do that."
                if is_own
                else f'Let the policy of the bucket allow {what} to everybody ("Principal": "*").'
            )
        to = f"{hearing.principal.username}, to a group or to the role of that user"
        allow = f"a policy that allows {what}"
        if hearing.bucket is None or self.action in OF_POLICY:
            return f"Attach {allow} to {to}."
        return f"Attach {allow} to {to}, or let the bucket's policy allow it."

    def _nearly(self) -> list[str]:
        """Say which statements only their conditions keep from allowing it."""
        return [
            f" Statement {sid} of {heard.source} does not allow it only for its condition on "
            f"{', '.join(keys)}: {self._values(keys)}."
            for heard in self._heard()
            for sid, keys in heard.lacking.items()
        ]

    def _values(self, keys: list[str]) -> str:
        """Say what the request has of the keys."""
        context = self.question.context
        have = [f"{key} is {', '.join(context[key])}" for key in keys if context.get(key)]
        lacking = [key for key in keys if not context.get(key)]
        return "; ".join([*have, *(f"the request has no {key}" for key in lacking)])

    # --- what was heard ------------------------------------------------------------------------

    @property
    def _is_kept(self) -> bool:
        """Whether RestrictPublicBuckets keeps what the bucket's policy gives."""
        document = self._document
        if document is None or self.decision.cause is not Cause.NOBODY:
            return False
        hearing, question = self.hearing, self.question
        passed = hear(hearing.principal, None, hearing.bucket, question).bucket
        return passed.effect is not document.ask(question).effect

    @property
    def _document(self) -> Policy | None:
        return self.hearing.bucket.policy if self.hearing.bucket is not None else None

    def _heard(self) -> list[Heard]:
        hearing, question = self.hearing, self.question
        found = [_ask(each.source, each.policy, question) for each in hearing.rights]
        if self._document is not None:
            found.append(_ask(self._of_bucket, self._document, question))
        if hearing.narrowing is not None:
            found.append(_ask(_KEY, hearing.narrowing, question))
        return found


_KEY: Final = "the policy of the access key"


def _ask(source: str, policy: Policy, question: Question) -> Heard:
    answer = policy.ask(question)
    lacking = policy.lacks(question) if answer.effect is Effect.NONE else {}
    return Heard(source, answer.effect.value, answer.statement, lacking)


def _named(answer: Answer) -> str:
    number = answer.statement
    return f"statement {number}" if number.isdigit() else f'statement "{number}"'
