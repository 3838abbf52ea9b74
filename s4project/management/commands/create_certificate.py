"""`manage.py create_certificate`: TLS for homes and labs, without a public authority.

Makes a small authority, once, and a certificate by it for the names and addresses given. Works
without a store and touches none.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from s4project.commands import EXIT_REFUSED, EXIT_USAGE
from s4project.setting_values import whole_number
from s4project.tls import making
from s4project.tls.certificate import CertificateError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

DIRECTORY: Final = "tls"
TRUSTED: Final = "/usr/local/share/ca-certificates/s4.crt"
WARNING: Final = "whoever has it can pose as any site to those clients"
PUBLIC_MODE, SECRET_MODE, SECRET_DIRECTORY_MODE = 0o644, 0o600, 0o700


class Command(BaseCommand):
    help = "Make a certificate and its key for S4_TLS_CERT and S4_TLS_KEY, for homes and labs."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help="name or address that clients use, such as nas.home.arpa, *.s3.home.arpa or "
            "192.168.1.5 (default: this machine's name, localhost and the loopback addresses)",
        )
        parser.add_argument(
            "--directory", metavar="DIRECTORY", help="where the files go (default: DATA/tls)"
        )
        parser.add_argument(
            "--days",
            default=str(making.SERVER_DAYS_MAX),
            help=f"how long it is good for, at most {making.SERVER_DAYS_MAX} (default)",
        )
        parser.add_argument(
            "--replace", action="store_true", help="replace the server's certificate and key"
        )
        parser.add_argument(
            "--replace-authority",
            action="store_true",
            help="replace the authority too: every client must then trust the new one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        try:
            days = whole_number(1, making.SERVER_DAYS_MAX)(options["days"])
        except ValueError as error:
            self._refuse(EXIT_USAGE, f"--days {error}")
        given = options["directory"]
        directory = Path(given).absolute() if given else settings.S4.data_dir / DIRECTORY
        try:
            names = making.Names(options["names"] or own_names())
            self._make(directory, names, days, options)
        except CertificateError as error:
            self._refuse(EXIT_USAGE, str(error))
        except OSError as error:
            self._refuse(EXIT_REFUSED, f"{error.filename} cannot be written: {error.strerror}")
        self.stdout.write("\n".join(advice(directory, names)))

    def _make(
        self, directory: Path, names: making.Names, days: int, options: dict[str, Any]
    ) -> None:
        """Write the files, unless that would overwrite what was not to be replaced."""
        own, own_key = directory / "server.crt", directory / "server.key"
        ca, ca_key = directory / "authority.crt", directory / "authority.key"
        replaces = options["replace"] or options["replace_authority"]
        for path in (own, own_key):
            if path.exists() and not replaces:
                self._refuse(EXIT_REFUSED, f"{path} exists: --replace replaces it")
        contents: dict[Path, tuple[bytes, int]] = {}
        if (ca.exists() or ca_key.exists()) and not options["replace_authority"]:
            authority = making.read_authority(ca, ca_key)
        else:
            authority = making.make_authority()
            contents[ca_key] = making.key_text(authority[1]), SECRET_MODE
            contents[ca] = making.certificate_text(authority[0]), PUBLIC_MODE
        certificate, key = making.issue(names, days, authority)
        contents[own_key] = making.key_text(key), SECRET_MODE
        contents[own] = making.certificate_text(certificate, authority[0]), PUBLIC_MODE
        if directory.parent == settings.S4.data_dir:  # as S4 itself would make it
            directory.parent.mkdir(mode=SECRET_DIRECTORY_MODE, parents=True, exist_ok=True)
        directory.mkdir(mode=SECRET_DIRECTORY_MODE, parents=True, exist_ok=True)
        making.write_files(contents)

    def _refuse(self, code: int, reason: str) -> None:
        """End the command with a line that says why."""
        self.stderr.write(reason)
        sys.exit(code)


def own_names() -> list[str]:
    """Name this machine as others may, and as it does itself."""
    return [socket.gethostname(), "localhost", "127.0.0.1", "::1"]


def advice(directory: Path, names: making.Names) -> list[str]:
    """Tell how S4 serves the certificate, and how clients come to trust it."""
    authority = directory / "authority.crt"
    return [
        f"Made for {', '.join(names.texts)}.",
        "",
        "S4 serves it with",
        f"  S4_TLS_CERT={directory / 'server.crt'}",
        f"  S4_TLS_KEY={directory / 'server.key'}",
        "",
        f"Clients trust it by {authority} (no secret; copy it to them):",
        f"  AWS CLI, boto3    AWS_CA_BUNDLE={authority}",
        f"  rclone            --ca-cert {authority}",
        f"  curl              --cacert {authority}",
        f"  restic            --cacert {authority}",
        f"  mc                cp {authority} ~/.mc/certs/CAs/",
        f"  Debian, Ubuntu    cp {authority} {TRUSTED}; update-ca-certificates",
        "  browsers          import it as an authority for web sites",
        "",
        f"Keep {directory / 'authority.key'} secret: {WARNING}.",
    ]
