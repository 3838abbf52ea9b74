"""Ports for servers of the tests: nobody listens there, and no other run is about to.

What the system gives out itself is no choice: until a server binds it, another's outgoing
connection may have it, and for a minute after that one ended it cannot be bound either.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from contextlib import closing
from itertools import cycle
from typing import Final

HOST: Final = "127.0.0.1"
# Below the ports that outgoing connections take; begun elsewhere by each run on the machine.
PORTS: Final = range(20_000, 32_000)
_ports = cycle(PORTS)
for _ in range(os.getpid() * 61 % len(PORTS)):
    next(_ports)
# Until their servers have bound them, other processes find these taken: as names of sockets that
# lie in no file system. By the time that so many more were asked for, they have.
_claims: deque[int] = deque()
CLAIMS_MAX: Final = 32


def free_port() -> int:
    """Find a port that nobody listens on, and nobody else has just found."""
    for port in _ports:
        claim = socket.socket(socket.AF_UNIX)
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                claim.bind(f"\0s4-port-{port}")
                probe.bind((HOST, port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim.detach())
        if len(_claims) > CLAIMS_MAX:
            os.close(_claims.popleft())
        return port
    raise AssertionError("the ports never end")
