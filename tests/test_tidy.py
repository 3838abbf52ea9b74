"""The house style as a test: what ruff, mypy and import-linter cannot say.

Reads the tracked files only, so that work in progress is nobody's failure until it is committed.
Every claim names the files that break it.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ("s4project", "s3api", "buckets", "iam", "storage_engine")
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 500
MODULE_DOCSTRING_LINES_MAX = 16
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
BROAD_EXCEPT = ["s3api/app.py", "s4project/logs/lines.py"]
# These hand what they caught on: to the coroutine they stand for, to the future of a caller.
HANDS_ON_WHAT_IT_CAUGHT = {
    "s3api/http/body.py",
    "s3api/operations/steps.py",
    "storage_engine/commit.py",
    "storage_engine/group_writer.py",
    "storage_engine/tickets.py",
}
TOP_LEVEL = {
    *RUNTIME,
    "manage.py",
    "pyproject.toml",
    "templates",
    "tests",
    "benchmarks",
    "deploy",
    "docs",
    "Dockerfile",
    "Makefile",
    "requirements.lock",
    "requirements-runtime.lock",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
}
DOTFILES = {
    ".ci",
    ".dockerignore",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-config.yaml",
}
# What only one machine knows: paths of its users and mounts, and where it takes packages from.
MACHINE_WORDS = re.compile(
    r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+)/"
    r"|(?<!no-emit-)(?:find-links|(?:extra-)?index-url|trusted-host)[ =]"
    r"|https?://(?:localhost|127\.0\.0\.1|[\w.-]+)(?::\d+)?/(?:[\w-]+/)*simple(?![\w-])"
)
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> tuple[str, ...]:
    """List the tracked files that are there, as paths from the repository's top."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())


@cache
def tree(name: str) -> ast.Module:
    """Parse one module."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def modules(*packages: str) -> list[str]:
    """List the Python files under `packages` (all of them: everywhere), but what Django wrote."""
    return [
        name
        for name in tracked()
        if name.endswith(".py")
        and "/migrations/" not in name
        and (not packages or name.split("/")[0] in packages)
    ]


def functions(name: str) -> Iterator[Function]:
    """Walk over every function of a module, nested ones too."""
    return (node for node in ast.walk(tree(name)) if isinstance(node, type_of_function))


def calls(node: ast.AST, wanted: str) -> Iterator[ast.Call]:
    """Walk over the calls of a dotted name."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and ast.unparse(inner.func) == wanted:
            yield inner


def broken(names: list[str], claim: Callable[[str], bool]) -> list[str]:
    """Name the files of which the claim is not true."""
    return [name for name in names if not claim(name)]


def test_every_module_says_in_a_few_lines_what_it_is_for() -> None:
    """Each module opens with a docstring of a sane length."""

    def has_docstring(name: str) -> bool:
        text = ast.get_docstring(tree(name)) or ""
        return 0 < len(text.splitlines()) <= MODULE_DOCSTRING_LINES_MAX

    assert broken(modules(), has_docstring) == []


def test_no_function_is_longer_than_a_screen() -> None:
    """Each function fits into seventy lines."""
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name in modules()
        for node in functions(name)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_module_is_longer_than_500_lines() -> None:
    """Each module has one reason to change, and so an end."""

    def is_short(name: str) -> bool:
        return len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= MODULE_LINES_MAX

    assert broken(modules(), is_short) == []


def test_annotations_are_never_evaluated() -> None:
    """Each module that holds code imports annotations from the future."""

    def is_modern(name: str) -> bool:
        body = tree(name).body[1 if ast.get_docstring(tree(name)) is not None else 0 :]
        return not body or any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in body
        )

    assert broken(modules(), is_modern) == []


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Name what an except clause catches; a bare one catches BaseException."""
    if handler.type is None:
        return {"BaseException"}
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) for kind in kinds}


def handlers(name: str, kind: str) -> Iterator[ast.ExceptHandler]:
    """Walk over a module's except clauses that catch `kind`."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ExceptHandler) and kind in caught(node):
            yield node


def test_one_place_alone_catches_every_exception() -> None:
    """`except Exception` ends a request that failed, and a line of the log that would fail one."""
    broad = [name for name in modules(*RUNTIME) for _ in handlers(name, "Exception")]
    suppressed = [
        name for name in modules(*RUNTIME) if any(calls(tree(name), "suppress(Exception)"))
    ]
    assert broad + suppressed == BROAD_EXCEPT


def test_advice_names_the_command_that_is_there() -> None:
    """No text of the code says `manage.py`, which an installed S4 lacks: `command()` names it."""

    def is_silent(name: str) -> bool:
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree(name))
            if isinstance(node, (ast.Module, ast.ClassDef, *type_of_function))
            and isinstance(node.body[0], ast.Expr)
        }
        return not any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "manage.py " in node.value
            and id(node) not in documented
            for node in ast.walk(tree(name))
        )

    names = [name for name in modules(*RUNTIME) if name != "iam/audit/acting.py"]  # data, not words
    assert broken(names, is_silent) == []


def test_what_catches_interruptions_passes_them_on() -> None:
    """A clause that catches BaseException ends in a bare raise."""
    swallowed = {
        name
        for name in modules(*RUNTIME)
        for handler in handlers(name, "BaseException")
        if not (isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None)
    }
    assert swallowed - HANDS_ON_WHAT_IT_CAUGHT == set()


def comments(name: str) -> str:
    """Join a Python file's comments; any other file is all comment."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if not name.endswith(".py"):
        return text
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)


def is_prose_or_data(name: str) -> bool:
    """Tell files that may speak of unfinished work, or hold words nobody here wrote."""
    return name.endswith((".md", ".json", ".lock", ".png", ".woff2", ".ico", ".toml", ".mjs"))


def test_nothing_is_left_for_later() -> None:
    """No comment says that something is still to be done."""
    unfinished = [
        name
        for name in tracked()
        if not is_prose_or_data(name) and UNFINISHED.search(comments(name))
    ]
    assert unfinished == []


def test_every_module_has_a_name_that_says_something() -> None:
    """No file or folder is called by a name under which anything could stand."""
    ours = [name for name in tracked() if "/unfold/" not in name]  # there the theme chose names
    vague = [name for name in ours if VAGUE_NAMES & {Path(part).stem for part in Path(name).parts}]
    assert vague == []


def test_every_test_states_its_claim() -> None:
    """Each test function opens with a docstring of one sentence."""

    def is_one_sentence(node: Function) -> bool:
        text = " ".join((ast.get_docstring(node) or "").split())
        return text.endswith((".", "!", "?")) and not re.search(r"[a-z)`\"'][.!?] [A-Z]", text)

    unclear = [
        f"{name}:{node.lineno} {node.name}"
        for name in modules("tests")
        for node in functions(name)
        if node.name.startswith("test_") and not is_one_sentence(node)
    ]
    assert unclear == []


def test_the_top_level_holds_only_what_convention_wants() -> None:
    """Nothing lies at the top of the repository that a stranger would not look for there."""
    assert {Path(name).parts[0] for name in tracked()} - TOP_LEVEL - DOTFILES == set()


def test_no_coroutine_sleeps_with_its_thread() -> None:
    """No coroutine calls time.sleep, and the data path never does."""
    asleep = [
        f"{name}:{call.lineno}"
        for name in modules(*RUNTIME)
        for node in ([tree(name)] if name.startswith("s3api/") else functions(name))
        if not isinstance(node, ast.FunctionDef)
        for call in calls(node, "time.sleep")
    ]
    assert asleep == []


def test_only_commands_print() -> None:
    """The server's packages log; printing is for management commands."""
    printing = [
        f"{name}:{call.lineno}"
        for name in modules(*RUNTIME)
        if "/management/commands/" not in name
        for call in calls(tree(name), "print")
    ]
    assert printing == []


def test_no_file_knows_one_machine() -> None:
    """No tracked text names a path or a package source of one machine."""

    def is_portable(name: str) -> bool:
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return True  # not a text
        return MACHINE_WORDS.search(text) is None

    assert broken([name for name in tracked() if name != "tests/test_tidy.py"], is_portable) == []
