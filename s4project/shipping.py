"""How the wheel comes to hold the files that stand outside S4's packages (see shipped.py).

Loaded by setuptools alone, from its file, while a wheel or a source distribution is built: it can
import nothing of S4, and S4 imports nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from setuptools.command.build_py import build_py

FILES: Final = ("CHANGELOG.md", "requirements-runtime.lock", "templates/**/*.html")


class BuildPy(build_py):  # type: ignore[misc]  # setuptools is untyped
    """setuptools' step that gathers packages, with the shipped files put into one of them."""

    def run(self) -> None:
        """Gather the packages, then the files; an editable install reads those of the checkout."""
        super().run()
        if not self.editable_mode:
            for source, target in self._shipped().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """List what a source distribution must hold."""
        return [*super().get_source_files(), *self._shipped()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:  # noqa: FBT001, FBT002  # setuptools' signature
        """List what is built."""
        return [*super().get_outputs(include_bytecode), *self._shipped().values()]

    def _shipped(self) -> dict[str, str]:
        """Map each file to where it goes, under the directory that is built."""
        found = sorted(path for pattern in FILES for path in Path().glob(pattern))
        into = Path(self.build_lib, "s4project", "shipped")
        return {str(path): str(into / path) for path in found}
