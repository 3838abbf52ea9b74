"""Counts the calls that a worker makes, by name, and tells them to who asks over a socket.

Python imports it at the start of every process that has this directory on its path. Nothing is
counted before a fork, so that the master starts as fast as ever; in the child every thread counts.
https://docs.python.org/3.11/library/sys.html#sys.setprofile
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

DIRECTORY = os.environ.get("BUDGET_DIRECTORY")
counts: Counter[tuple[str, str]] = Counter()


def count(frame: FrameType, event: str, called: object) -> None:
    """Count one call: of a Python function or a coroutine's step, or of a built-in."""
    if event == "call":
        code = frame.f_code
        counts[code.co_filename, code.co_qualname] += 1
    elif event == "c_call":
        name = getattr(called, "__qualname__", "") or repr(called)
        owner = getattr(called, "__self__", None)
        kind = type(owner).__module__ if owner is not None else ""
        if kind in {"builtins", "", "module"}:
            kind = getattr(called, "__module__", None) or "builtins"
        # The log's thread is woken ten times a second at most: on a slow machine for each request.
        rings = "log " if frame.f_code.co_qualname == "Stream._keep" else ""
        counts[f"<{kind}>", rings + name] += 1


def tell(listener: socket.socket) -> None:
    """Answer every connection with what was counted so far."""
    sys.setprofile(None)
    while True:
        connection, _ = listener.accept()
        with connection:
            rows = [[*place, number] for place, number in counts.copy().items()]
            connection.sendall(json.dumps(rows).encode())


def begin() -> None:
    """Count from now on, in a process that was just forked."""
    assert DIRECTORY is not None
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(Path(DIRECTORY) / str(os.getpid())))
    listener.listen()
    threading.Thread(target=tell, args=(listener,), daemon=True).start()
    threading.setprofile(count)
    sys.setprofile(count)


if DIRECTORY:
    os.register_at_fork(after_in_child=begin)
