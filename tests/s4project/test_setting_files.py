"""Settings that a file holds: read whole, refused in one line, never shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from s4project.configuration import load
from s4project.setting_files import BYTES_MAX
from s4project.setting_table import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "wJalrXUtnFEMI/K7MDENG"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_comes_from_its_file(tmp_path: Path, end: str) -> None:
    """A file's text is the value, without the end of its line."""
    file = tmp_path / "secret"
    file.write_bytes((SECRET + end).encode())
    configuration = load({"S4_ROOT_PASSWORD_FILE": str(file), "S4_ROOT_PASSWORD": ""})
    assert (configuration.root_password, configuration.problems) == (SECRET, ())


def test_every_secret_has_a_file_and_no_other_setting() -> None:
    """Secrets, and the names that are kept beside them, may be given by file; nothing else."""
    names = {row.file_variable for row in SETTINGS.values() if row.is_secret}
    names |= {"S4_ACCESS_KEY_ID_FILE", "S4_ROOT_USERNAME_FILE"}
    assert {row.file_variable for row in SETTINGS.values() if row.file_variable} == names
    assert load({"S4_REGION_FILE": "/x"}).problems == ("S4_REGION_FILE is not a setting of S4",)


def test_a_database_url_comes_from_its_file(tmp_path: Path) -> None:
    """`DATABASE_URL`, which holds a password, has a file as well."""
    file = tmp_path / "url"
    file.write_text(f"postgresql://s4:{SECRET}@db/s4\n", encoding="utf-8")
    configuration = load({"DATABASE_URL_FILE": str(file)})
    assert configuration.database_url == f"postgresql://s4:{SECRET}@db/s4"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * (BYTES_MAX + 1), "is too large"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that holds no value is reported in one line that names variable, file and reason."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    (problem,) = load({"S4_ROOT_PASSWORD_FILE": str(file)}).problems
    assert problem.startswith("S4_ROOT_PASSWORD_FILE must name a file")
    assert str(file) in problem
    assert problem.endswith(words)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory, which Docker makes where a file is missing, and a pipe are refused unread."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        (problem,) = load({"S4_ROOT_PASSWORD_FILE": str(path)}).problems
        assert "must name a regular file" in problem
    (problem,) = load({"S4_ROOT_PASSWORD_FILE": ""}).problems
    assert problem.startswith("S4_ROOT_PASSWORD_FILE must name a")


def test_value_and_file_together_are_refused(tmp_path: Path) -> None:
    """Which of the two counts is not guessed."""
    file = tmp_path / "secret"
    file.write_text(SECRET, encoding="utf-8")
    given = {"S4_ROOT_PASSWORD": SECRET, "S4_ROOT_PASSWORD_FILE": str(file)}
    assert load(given).problems == (
        "S4_ROOT_PASSWORD and S4_ROOT_PASSWORD_FILE must not both be given",
    )


def test_what_a_file_holds_is_never_shown(tmp_path: Path) -> None:
    """A value of the wrong form is told of by its file alone: it may be a key, named by mistake."""
    file = tmp_path / "key.pem"
    file.write_text(f"-----BEGIN {SECRET}", encoding="utf-8")
    for variable in ("S4_ROOT_USERNAME_FILE", "S4_SECRET_ACCESS_KEY_FILE"):
        problems = load({variable: str(file)}).problems
        assert SECRET not in "".join(problems)
        assert any(variable in problem for problem in problems)
