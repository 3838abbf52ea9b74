"""Serves the probe application with S4's server: a program the tests start.

Takes a JSON object: host, limits, and what else a Plan holds. Prints its ports, then "ready".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from s4project import logs, server
from s4project.edge import Limits
from s4project.forwarding import Proxies
from s4project.setting_values import parse_networks
from s4project.tls.certificate import Pair
from s4project.tls.keeper import Keeper


def say(line: str) -> None:
    """Write a line for the test that started this."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    logs.configure("info", "json")
    host = plan.pop("host", "127.0.0.1")
    sockets = (server.listen(host, 0), server.listen(host, 0))
    pair = [Path(name) for name in plan.pop("tls", ())]
    say(json.dumps([listener.getsockname()[1] for listener in sockets]))
    server.serve(
        server.Plan(
            sockets=sockets,
            workers=plan.pop("workers", 1),
            app="tests.s4project.probe_app:application",
            jobs=tuple(plan.pop("jobs", ())),
            limits=Limits(**plan.pop("limits", {})),
            proxies=Proxies(parse_networks(plan.pop("proxies", ""))),
            keeper=Keeper(Pair(*pair)) if pair else None,
            on_ready=lambda: say("ready"),
            **plan,
        )
    )
