"""A client process that sends signed requests without pause, and says of each how it ended.

    python -m tests.e2e.requesting PORT ACCESS_KEY SECRET_KEY BUCKET CONNECTIONS

Each connection is kept open and has a thread of its own. A number on its standard input asks for so
many more requests over each; an empty line tells that all have been answered. Ends when its
standard input does; then it writes a line of JSON for each request: which connection, which worker
answered, when it was sent, when answered (by the clock that all processes share), the status, and
what was asked.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from itertools import cycle
from typing import Final

from tests.e2e.every_worker import worker_of
from tests.e2e.signing import Signer
from tests.e2e.wire import Caller, Connection, ConnectionEnded, path_of

HOST: Final = "127.0.0.1"
PAUSE_SECONDS: Final = 0.004  # so that the machine has time for the server

Told = tuple[int, str, float, float, int, str]


def load(
    caller: Caller, bucket: str, number: int, ended: threading.Event, told: list[Told]
) -> None:
    """Send one request after the other over one connection."""
    key = f"of-connection-{number}"
    asked = cycle(
        [
            ("GET", path_of(bucket, "shared"), b""),
            ("PUT", path_of(bucket, key), b"x" * 100),
            ("GET", f"/{bucket}?list-type=2&prefix=of-", b""),
            ("HEAD", path_of(bucket, "shared"), b""),
        ]
    )
    connection: Connection | None = None
    for method, target, body in asked:
        if ended.is_set():
            break
        begin = time.monotonic()
        try:
            connection = connection or caller.connect()
            reply = caller.ask(method, target, body, over=connection)
        except (ConnectionEnded, OSError):
            connection = None
            continue
        told.append((number, worker_of(reply), begin, time.monotonic(), reply.status, method))
        if reply.ends_connection:
            connection.close()
            connection = None
        time.sleep(PAUSE_SECONDS)


def go_round(told: list[Told], connections: int, times: int) -> None:
    """Wait until each connection has been answered so many requests sent after this call."""
    begin, known = time.monotonic(), len(told)
    while True:
        answered = Counter(number for number, _, sent, *_ in told[known:] if sent > begin)
        if all(answered[number] >= times for number in range(connections)):
            return
        time.sleep(10 * PAUSE_SECONDS)


def main(port: str, access_key: str, secret_key: str, bucket: str, connections: str) -> None:
    """Be the client."""
    caller = Caller((HOST, int(port)), Signer(access_key, secret_key))
    ended, told = threading.Event(), list[Told]()
    threads = [
        threading.Thread(target=load, args=(caller, bucket, number, ended, told))
        for number in range(int(connections))
    ]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        go_round(told, len(threads), int(line))
        sys.stdout.write("\n")
        sys.stdout.flush()
    ended.set()
    for thread in threads:
        thread.join()
    for each in told:
        sys.stdout.write(json.dumps(each) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
