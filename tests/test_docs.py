"""The documentation as a test: its tables are those of the code, and its links lead somewhere."""

from __future__ import annotations

import ast
import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iam.actions import is_condition_key
from iam.hearing import PRINCIPAL_KEYS, PRINCIPAL_TYPE
from s3api.errors import CODES
from s3api.operations.policy_question import MAKERS
from s3api.operations.registry import HANDLERS
from s3api.operations.unconfigured import UNCONFIGURED
from s3api.protocol import OPERATIONS
from s4project.setting_table import SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
NAME = re.compile(r"`([A-Z]\w+)`")
COMPUTED_DEFAULTS = {"S4_WORKERS": "number of cores"}


def page(name: str) -> str:
    """Read a page of docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """Cut out what stands under one heading, up to the next of its level."""
    level = title.partition(" ")[0]
    found = re.search(rf"^{title}$(.*?)(?=^{level} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Read the cells of all table rows, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [index for index, row in enumerate(cells) if set(row[0]) <= {"-", ":"}]
    without = {*rules, *(index - 1 for index in rules)}
    return [row for index, row in enumerate(cells) if index not in without]


def documented(setting: Setting) -> list[str]:
    """Write the row a setting must have in the table."""
    default = COMPUTED_DEFAULTS.get(setting.variable)
    if default is None:
        default = f"`{setting.default}`" if setting.default else "empty"
    return [f"`{setting.variable}`", default, setting.meaning]


def test_every_setting_is_documented_as_it_is() -> None:
    """The table of settings holds each setting's name, default and meaning, in the code's order."""
    table = rows(section(page("settings.md"), "## All settings"))
    assert table == [documented(setting) for setting in SETTINGS.values()]


def test_every_operation_offered_is_documented() -> None:
    """The tables of what is offered and of what is not configured name all that has a handler."""
    text = page("compatibility.md")
    named = [row[0].strip("`") for row in rows(section(text, "## Offered").partition("### ")[0])]
    probed = rows(section(text, "## Answered as not configured"))
    unconfigured = [name for row in probed for name in NAME.findall(row[1])]
    assert sorted(unconfigured) == sorted(UNCONFIGURED)
    assert sorted(named + unconfigured) == sorted(HANDLERS)


def test_every_operation_refused_is_documented() -> None:
    """The table of operations answered 501 names exactly the rest of AWS's model, each once."""
    refused = rows(section(page("compatibility.md"), "## Answered 501"))
    named = [name for row in refused for name in NAME.findall(row[1])]
    assert sorted(named) == sorted(OPERATIONS.keys() - HANDLERS.keys())


def test_errors_have_the_status_that_is_documented() -> None:
    """Each error code of the error page is answered with the status that stands beside it."""
    table = [row for row in rows(page("errors.md")) if NAME.fullmatch(row[1])]
    documented_statuses = {row[1].strip("`"): int(row[0]) for row in table}
    assert documented_statuses
    assert documented_statuses == {code: CODES[code][0] for code in documented_statuses}


def test_every_command_is_documented() -> None:
    """The table of commands names exactly the management commands there are."""
    commands = ROOT.glob("*/management/commands/[a-z]*.py")
    table = rows(section(page("operations.md"), "## Commands"))
    named = {word for row in table for word in re.findall(r"`(\w+)", row[0])}
    assert named == {path.stem for path in commands}


def test_every_check_is_documented() -> None:
    """Each system check's id is explained on the page of settings."""
    ids = {
        found
        for path in ROOT.glob("*/checks.py")
        for found in re.findall(r"id=\"(\w+\.[EW]\d{3})\"", path.read_text(encoding="utf-8"))
    }
    assert ids
    assert {check for check in ids if f"`{check}`" not in page("settings.md")} == set()


def test_the_index_leads_to_every_page() -> None:
    """Each page is the first link of exactly one line of the index, of which the site is made."""
    listed = re.findall(r"^- \[[^]]+\]\(([^)#]+)\)", page("index.md"), re.MULTILINE)
    pages = [*PAGES, ROOT / "storage_engine" / "FORMAT.md"]
    names = [path.relative_to(ROOT).as_posix() for path in pages if path.name != "index.md"]
    assert sorted(f"docs/{name}".replace("docs/../", "") for name in listed) == sorted(names)


def anchors(text: str) -> set[str]:
    """List the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    """Each relative link or picture of a page names a file, and a heading that is in it."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\[[^]]*\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (path.parent / name) if name else path
        if not goal.exists() or (
            anchor and anchor not in anchors(goal.read_text(encoding="utf-8"))
        ):
            broken.append(target)
    assert broken == []


def test_the_condition_keys_are_those_of_the_code() -> None:
    """Every key of a request that policies may ask for is named, and none that they may not."""
    named = set(
        re.findall(r"`((?:aws|s3):[\w/:*-]+)`", section(page("access.md"), "## Bucket policies"))
    )
    written = {name.lower() for name in named if "/" not in name and "*" not in name}
    known = {key for key in MAKERS if "grant-" not in key and "encryption-" not in key}
    known |= {*PRINCIPAL_KEYS, PRINCIPAL_TYPE}
    assert known <= written
    assert written - known <= {
        "s3:getobject",
        "s3:putobject",
        "s3:deleteobject",
        "s3:deleteobjectversion",
        "s3:requestobjecttagkeys",
    }


def test_the_keys_that_never_have_a_value_are_keys_and_have_none() -> None:
    """What is said to be lacking may be named in a policy, and nothing gives it a value."""
    text = section(page("access.md"), "## Keys that never have a value")
    named = {name.lower() for name in re.findall(r"`((?:aws|s3):[\w/-]+)`", text)}
    assert len(named) > 15
    for name in named:
        assert is_condition_key(name), name
        assert name not in {*MAKERS, *PRINCIPAL_KEYS, PRINCIPAL_TYPE}, name


def constants(module: ast.Module) -> dict[str, str]:
    """List the texts that a module gives a name to."""
    named = {}
    for node in module.body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            named[target.id] = str(value.value)
    return named


def spoken(module: ast.Module, named: dict[str, str]) -> Iterator[str]:
    """Give every text in a module, formatted ones with `...` for what differs."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            parts = (
                part.value
                if isinstance(part, ast.Constant)
                else named.get(ast.unparse(part.value), "...")  # type: ignore[attr-defined]
                for part in node.values
            )
            yield "".join(map(str, parts))


def test_the_lines_of_the_troubleshooting_page_are_still_written() -> None:
    """What is quoted as S4's own line is in its code, and a client's line has S3's words."""
    modules = [
        ast.parse(path.read_text(encoding="utf-8"))
        for room in ("s4project", "s3api", "buckets", "iam", "storage_engine")
        for path in ROOT.glob(f"{room}/**/*.py")
    ]
    named = {name: text for module in modules for name, text in constants(module).items()}
    said = "\n".join({text for module in modules for text in spoken(module, named)})
    said += "\n".join(str(OSError(code, os.strerror(code))) for code in errno.errorcode)
    text = page("troubleshooting.md")
    own = "".join(re.findall(r"```text\n(.*?)```", text, re.DOTALL)).splitlines()
    assert len(own) > 30
    for line in own:
        pieces = [piece.strip(" ():'\"") for piece in re.split(r"\.\.\.|: (?=[\[A-Zc.])", line)]
        assert [piece for piece in pieces if piece not in said] == [], line
    for code in re.findall(r"error occurred \((\w+)\)|^(\w+): ", text, re.MULTILINE):
        assert "".join(code) in CODES, code


def test_what_others_are_told_to_use_instead_is_here() -> None:
    """The pages for who comes from elsewhere name settings, series and commands that there are."""
    variables = {setting.variable for setting in SETTINGS.values()}
    series = set(re.findall(r"`(s4_\w+)`", page("monitoring.md")))
    commands = {path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")}
    for name in ("migrate-from-minio.md", "migrate-from-s4-core.md"):
        table = rows(page(name))
        for there, here in ((row[0], row[1]) for row in table if len(row) == 2):
            same = there if here.startswith("the same") else ""
            assert set(re.findall(r"\bS4_[A-Z0-9_]+", same + here)) <= variables, here
            assert set(re.findall(r"`(s4_\w+)`", here)) <= series, here
            assert set(re.findall(r"manage\.py (\w+)", here)) <= commands, here
