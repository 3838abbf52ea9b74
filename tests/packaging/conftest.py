"""The image, built once for the tests that run it: minutes, so only `make test-package` does."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.packaging.base_image import lend_network, make_base, network
from tests.packaging.context import ROOT, copy_context
from tests.packaging.dockerfile import Builder, Stage, read_stages

if TYPE_CHECKING:
    from collections.abc import Iterator


class Image(NamedTuple):
    """An image that was built: its root, its last stage, and its layers without and with base."""

    root: Path
    stage: Stage
    added: Path
    base: Path
    room: Path


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """Carry the Dockerfile out."""
    if not os.environ.get("S4_TEST_LONG"):
        pytest.skip("minutes, and packages: make test-package")
    if os.geteuid() != 0:
        pytest.skip("only root may change the root directory")
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed")
    room = Path(tempfile.mkdtemp(prefix="s4-image-", dir="/var/tmp"))  # on a disk
    builder = Builder(make_base(), copy_context(room / "context"), room, network())
    try:
        stages = read_stages(ROOT / "Dockerfile")
        for stage in stages:
            assert stage.base == "python:3.11-slim", "the stand-in is for this one"
            root = builder.lay(stage)
            lend_network(root)
            builder.carry_out(stage, root)
        name = stages[-1].name or "image"
        yield Image(builder.roots[name], stages[-1], room / f"{name}-upper", builder.base, room)
    finally:
        builder.clean_up()
        shutil.rmtree(room, ignore_errors=True)
