"""docs/access-matrix.md, written from the rows and the rule that the server is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.e2e.matrix.rows import SECTIONS
from tests.e2e.matrix.rule import CALLERS, Verdict
from tests.s4project.api.calls import CALLERS as CALLERS_OF_REST
from tests.s4project.api.calls import CALLS

if TYPE_CHECKING:
    from tests.e2e.matrix.row import Row
    from tests.s4project.api.calls import Call

SYMBOLS: Final = {
    Verdict.ALLOWED: "✓",
    Verdict.DENIED: "·",
    Verdict.NO_SUCH_KEY: "✗",
    Verdict.OTHERS_POLICY: "405",
}
# Their columns would all be the same.
DEAD: Final = ("expired", "disabled", "fired")
COLUMNS: Final = [caller for caller in CALLERS if caller.name not in DEAD[1:]]
HEAD: Final = """\
# The access matrix

Every operation of S3 that S4 offers, tried by every kind of caller. A test sends each of these
requests to a running server, signed in its headers and once more by a presigned URL, and compares
the answer with this table; whatever was refused must have changed nothing, and must have said
nothing that the same request to an empty bucket would not say. The table is written from what AWS
demands for each operation and from one short statement of what each caller has
([`tests/e2e/matrix`](../tests/e2e/matrix/rule.py)), not from the code that decides. How rights come
together: [Access](access.md). What each operation needs: [Actions](actions.md).

| | |
|---|---|
| ✓ | done, or answered as to the owner: also with `404` where there is nothing to answer |
| · | `403 AccessDenied` |
| ✗ | `403 InvalidAccessKeyId` |
| 405 | `405 MethodNotAllowed`: a bucket's policy gives nobody else the right to that policy |

Who asks:

"""
DEAD_TITLE: Final = "dead key"
DEAD_ABOUT: Final = (
    "a key that has expired, or is disabled, or whose user (a SuperUser) is disabled."
)


def write() -> str:
    """Write the page."""
    sections = "".join(_section(title, rows) for title, rows in SECTIONS.items())
    return HEAD + _people() + sections + REST + "".join(map(_call, CALLS))


REST: Final = f"""
## The REST API

Every call under `/api`, made by everybody, each with the status that it gets. *Reader* and *Writer*
ask for what is theirs: their own user, their own bucket. The *foreign Writer* asks for what is the
Writer's, and is not even told that it is there. The *SuperUser* asks for what is others'. A call
that is refused has changed nothing. The table is [`calls.py`](../tests/s4project/api/calls.py).

| | {" | ".join(CALLERS_OF_REST)} |
|---{"|:-:" * len(CALLERS_OF_REST)}|
"""


def _call(call: Call) -> str:
    return f"| `{call}` | {' | '.join(map(str, call.statuses()))} |\n"


def _people() -> str:
    lines = [
        f"- **{DEAD_TITLE}**: {DEAD_ABOUT}\n"
        if caller.name in DEAD
        else f"- **{caller.title}**: {caller.about}\n"
        for caller in COLUMNS
    ]
    return "".join(lines)


def _section(title: str, rows: tuple[Row, ...]) -> str:
    titles = [DEAD_TITLE if caller.name in DEAD else caller.title for caller in COLUMNS]
    head = f"| | {' | '.join(titles)} |\n|---{'|:-:' * len(COLUMNS)}|\n"
    return f"\n## {title}\n\n{head}" + "".join(map(_line, rows))


def _line(row: Row) -> str:
    name = f"{row.operation}, {row.note}" if row.note else row.operation
    cells = [SYMBOLS[caller.verdict(row.needs)] for caller in COLUMNS]
    return f"| {name} | {' | '.join(cells)} |\n"
