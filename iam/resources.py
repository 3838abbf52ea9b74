"""What a statement speaks of: one resource, or all below a prefix that nobody looks at. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html. Below a
prefix an allow must hold for whatever may be there, and a deny holds if it may for anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iam.actions import may_have
from iam.grammar import ARN
from iam.patterns import as_itself, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iam.conditions import Template
    from iam.documents import Question

EVERYWHERE: Final = ""
OBJECT_TAG: Final = "s3:existingobjecttag/"
OF_EACH: Final = (OBJECT_TAG, "s3:versionid")  # keys that each object has a value of its own for
PART: Final = re.compile(r"[*?]|\$\{")  # where a resource begins to be a pattern


@dataclass(frozen=True, slots=True)
class Names:
    """A set of patterns, or of everything but them."""

    tests: tuple[Callable[[str], bool], ...]
    is_not: bool

    def holds(self, text: str) -> bool:
        """Tell whether a text is one of the set."""
        for test in self.tests:  # a loop costs half of what any() does: it is asked most often
            if test(text):
                return not self.is_not
        return self.is_not


@dataclass(frozen=True, slots=True)
class Resources:
    """As `Names`, for ARNs, in which variables may stand."""

    fixed: Names
    variable: tuple[Template, ...]
    texts: tuple[str, ...] = ()  # all of them, as they were written

    @property
    def places(self) -> set[str]:
        """Name the places that they are within, as `place_of` does."""
        return {EVERYWHERE} if self.fixed.is_not else set(map(place_of, self.texts))

    def holds(self, question: Question, *, is_allow: bool) -> bool:
        """Tell whether they are what a question is about; below a prefix: all, or any."""
        if question.is_prefix:
            return self._hold_below(question, is_whole=is_allow)
        if not self.variable:
            return self.fixed.holds(question.resource)
        fixed, context = self.fixed, question.context
        if fixed.holds(question.resource) is not fixed.is_not:
            return not fixed.is_not
        resource = as_itself(question.resource)
        for each in self.variable:
            text = each.fill(context, as_itself)
            # One with a variable that the request lacks fits nothing: reference_policies_variables.
            if text is not None and compile_pattern(text)(resource):
                return not fixed.is_not
        return fixed.is_not

    def _hold_below(self, question: Question, *, is_whole: bool) -> bool:
        """Tell whether they hold for everything below a prefix, or else for anything there."""
        prefix = as_itself(question.resource)
        fits = covers if is_whole is not self.fixed.is_not else touches
        is_met = any(fits(text, prefix) for text in self._filled(question))
        return is_met is not self.fixed.is_not

    def _filled(self, question: Question) -> Iterator[str]:
        """Write the patterns with the values of variables that are the same for all keys."""
        templates = {template.text: template for template in self.variable}
        for text in self.texts:
            template = templates.get(text)
            if template is None or is_open(template.keys, question.action):
                yield text
                continue
            filled = template.fill(question.context, as_itself)
            if filled is not None:
                yield filled


def place_of(resource: str) -> str:
    """Name the bucket, or the first folder of it, that a resource or all that fit a pattern are in.

    What may be in several buckets is everywhere.
    """
    bucket, slash, key = resource.removeprefix(ARN).partition("/")
    if bucket == resource or PART.search(bucket):
        return EVERYWHERE
    first = key.partition("/")[0]
    return bucket if not slash or PART.search(first) else f"{bucket}/{first}"


def is_open(keys: Iterable[str], action: str) -> bool:
    """Tell whether one of the keys has its value of an object that nobody has looked at."""
    return any(key.startswith(OF_EACH) and may_have(action, key) for key in keys)


def covers(pattern: str, prefix: str) -> bool:
    """Tell whether a pattern fits all that begins with a prefix.

    One that ends in `*` and fits the prefix itself does; what variables stand for is not asked.
    """
    return pattern.endswith("*") and "${" not in pattern and bool(compile_pattern(pattern)(prefix))


def touches(pattern: str, prefix: str) -> bool:
    """Tell whether a pattern may fit anything that begins with a prefix."""
    head = PART.split(pattern, maxsplit=1)[0]
    return head.startswith(prefix) or (head != pattern and prefix.startswith(head))
