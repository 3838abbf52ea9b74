"""A Dockerfile, read and carried out without Docker: its stages become directories.

It knows the instructions that S4's Dockerfile has, and refuses any other: what it does not carry
out is not proved. A stage begins as a layer over the base image, which overlayfs lays there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

# What changes nothing on the disk of the image; the caller reads it from the stage.
TOLD: Final = frozenset(
    {"VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD", "USER"}
)


class Step(NamedTuple):
    """An instruction: its verb, and what follows it."""

    verb: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of what follows."""
        return shlex.split(self.text)

    @property
    def command(self) -> list[str]:
        """The words of a command in JSON's form, after its options."""
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


@dataclass
class Stage:
    """A stage: the image it begins from, its steps, and what those have said once carried out."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = "/"

    def told(self, verb: str) -> Step:
        """Answer the last instruction of a kind."""
        return [step for step in self.steps if step.verb == verb][-1]


def read_stages(path: Path) -> list[Stage]:
    """Read a Dockerfile."""
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        verb, _, rest = line.strip().partition(" ")
        if verb == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        elif verb:
            stages[-1].steps.append(Step(verb, rest.strip()))
    return stages


class Builder:
    """Carries stages out, each in a directory of its own, over one base."""

    def __init__(self, base: Path, context: Path, room: Path, network: dict[str, str]) -> None:
        self.base = base
        self.context = context
        self.room = room
        self.network = network  # the environment by which this machine reaches packages
        self.roots: dict[str, Path] = {}

    def carry_out(self, stage: Stage, root: Path) -> None:
        """Carry out every step of a stage that has been laid."""
        stage.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        for step in stage.steps:
            if step.verb == "ENV":
                for word in step.words:
                    name, _, value = word.partition("=")
                    stage.environment[name] = value.replace("$PATH", stage.environment["PATH"])
            elif step.verb == "WORKDIR":
                stage.directory = step.text
                self._inside(root, stage.directory).mkdir(parents=True, exist_ok=True)
            elif step.verb == "COPY":
                self._copy(step, root, stage.directory)
            elif step.verb == "RUN":
                self._run(step, root, stage)
            else:
                assert step.verb in TOLD, f"{step.verb} is not carried out here"

    def lay(self, stage: Stage) -> Path:
        """Lay an empty layer over the base for a stage; answer its root."""
        name = stage.name or "image"
        upper, work, root = (self.room / f"{name}-{part}" for part in ("upper", "work", "root"))
        for directory in (upper, work, root):
            directory.mkdir()
        layers = f"lowerdir={self.base},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
        self.roots[name] = root
        return root

    def _inside(self, root: Path, path: str) -> Path:
        return root / path.lstrip("/")

    def _copy(self, step: Step, root: Path, directory: str) -> None:
        """Copy from the context, or from another stage, as Docker does: contents, not names."""
        words, source_root = step.words, self.context
        if words[0].startswith("--from="):
            source_root = self.roots[words.pop(0).removeprefix("--from=")]
        *sources, into = words
        target = self._inside(root, os.path.normpath(f"{directory}/{into}"))
        for source in sources:
            found = self._inside(source_root, source)
            if found.is_dir():
                shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, target)

    def _run(self, step: Step, root: Path, stage: Stage) -> None:
        """Run a command of the shell in the stage, as root."""
        script = f"cd {shlex.quote(stage.directory)} && {step.text}"
        done = subprocess.run(
            ["chroot", root, "/bin/sh", "-c", script],
            env=self.network | stage.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {step.text}\n{done.stdout}\n{done.stderr}"

    def clean_up(self) -> None:
        """Take the layers off."""
        for root in self.roots.values():
            subprocess.run(["umount", "--recursive", "--lazy", root], check=True)
