"""The wildcards of policies: `*` for any run of characters, `?` for any one. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_CHARACTERS_MAX: Final = 256
WILD: Final = re.compile(r"[*?]")


# What stands for a wildcard that is meant as the character it is: characters of private use.
_CLOTHES: Final = str.maketrans({"*": "\uf02a", "?": "\uf03f"})


def as_itself(text: str) -> str:
    """Hide the wildcards in a text: in a value put into a pattern, and in what is held against it.

    A user of the name `*` must not widen a pattern that his name is put into.
    """
    return text.translate(_CLOTHES) if "*" in text or "?" in text else text


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Make the test of a text against a pattern, case-sensitive and as a whole.

    Of many short ones the last are kept: requests bring the same values into patterns with
    variables, and new ones of any length.
    """
    return _kept(pattern) if len(pattern) <= KEPT_CHARACTERS_MAX else _compile(pattern)


def _compile(pattern: str) -> Callable[[str], bool]:
    """Make a test. Only `?` needs a regular expression.

    There each run up to the next literal is atomic, so that no text takes more time than its length
    times the pattern's.
    """
    if pattern == "*":
        return lambda _text: True
    if not WILD.search(pattern):
        return pattern.__eq__
    if "?" in pattern:
        return _expression(pattern).fullmatch  # type: ignore[return-value]  # a match is true
    head, *runs, tail = pattern.split("*")
    if not tail and not any(runs):
        return lambda text: text.startswith(head)
    return partial(_holds, head, runs, tail)


_kept: Final = lru_cache(maxsize=1024)(_compile)


def _holds(head: str, runs: list[str], tail: str, text: str) -> bool:
    """Tell whether a text begins with `head`, ends with `tail` and has the others between them."""
    if not text.startswith(head) or not text.endswith(tail):
        return False
    at, end = len(head), len(text) - len(tail)
    for run in runs:
        at = text.find(run, at, end)
        if at < 0:
            return False
        at += len(run)
    return at <= end


def _expression(pattern: str) -> re.Pattern[str]:
    first, *rest = re.sub(r"\*+", "*", pattern).split("*")
    parts = [_literal(first)]
    if rest:
        parts += [f"(?>.*?{_literal(run)})" for run in rest[:-1]]
        parts.append(f".*{_literal(rest[-1])}")
    return re.compile("".join(parts), re.DOTALL)


def _literal(run: str) -> str:
    return ".".join(re.escape(piece) for piece in run.split("?"))
