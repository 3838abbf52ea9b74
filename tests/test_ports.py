"""Ports that the tests give their servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ports import PORTS, free_port

ROOT = Path(__file__).resolve().parents[1]
# Asks for ports from where another process is, one of which that has just found.
OTHER = """
import sys
from tests import ports
ports._ports = iter(map(int, sys.argv[1:]))
print(ports.free_port())
"""


def test_no_two_find_the_same_port_before_it_is_bound() -> None:
    """A port is his who found it, bound or not, and never one of those for outgoing connections."""
    port = free_port()
    other = next(each for each in reversed(PORTS) if each != port)
    command = [sys.executable, "-c", OTHER, str(port), str(other)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(told.stdout) == other
    system = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    assert max(PORTS) < int(system.split()[0])
