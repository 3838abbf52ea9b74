"""`manage.py stats`: the totals of the store, for people or (--json) for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand

from storage_engine import EngineError
from storage_engine.apps import close_engine, get_engine

if TYPE_CHECKING:
    from argparse import ArgumentParser


REFUSED: Final = 2


class Command(BaseCommand):
    help = "Shows how much the store holds and where; costs next to nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="write one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        try:
            engine = get_engine()
            totals, volumes = asdict(engine.stats()), engine.volumes()
        except EngineError as error:
            self.stderr.write(str(error))
            raise SystemExit(REFUSED) from error
        finally:
            close_engine()
        if options["json"]:
            rows = [volume._asdict() for volume in volumes]
            self.stdout.write(json.dumps({**totals, "volume_list": rows}))
            return
        for name, value in totals.items():
            self.stdout.write(f"{name.replace('_', ' '):<16} {value:>20,}")
        for volume in volumes:
            self.stdout.write(
                f"volume {volume.id:08d}  {volume.state:<7} {volume.size:>16,} bytes, "
                f"{volume.live_bytes:,} live"
            )
