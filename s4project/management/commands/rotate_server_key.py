"""Replace the server key, and seal every access key's secret under the new one."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from iam.sealing import SERVER_KEY_FILE
from iam.services import replace_server_key
from s4project.commands import StoreCommand
from s4project.progress import Progress
from s4project.store import settled_store


class Command(StoreCommand):
    help = (
        "Replace the server key: every access key's secret is sealed under a new one, while S4 "
        "goes on. Ends every session of the console, and every token of the API unless "
        "S4_JWT_SECRET is set. The old key is kept nowhere."
    )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        shown = self.stderr.isatty() and not options["json"]
        progress = Progress(self.stderr if shown else None, "Secrets sealed anew")
        with settled_store():
            count = replace_server_key(progress)
        progress.finish()
        return {"secrets": count, "server_key": str(settings.S4.data_dir / SERVER_KEY_FILE)}

    def describe(self, answer: Any) -> str:
        return f"The server key is another; {answer['secrets']} secrets are sealed under it."
