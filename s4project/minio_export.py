"""What `mc admin cluster iam export` of MinIO wrote, as S4's services take it.

Knows the form of the archive and which of MinIO's words have no meaning here; writes through
`iam.services` alone. What cannot be taken over is told, thing by thing, and the rest goes on.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam import services
from iam.errors import IdentityError, InvalidIdentity
from iam.keyring import RoleName
from iam.models import User

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER: Final = "iam-assets/"
# Actions of MinIO's own services: who holds them administers a MinIO, which is not here.
FOREIGN: Final = ("admin:", "kms:", "sts:")
ADMINISTRATORS: Final = "consoleAdmin"
KEY_NAME: Final = "from MinIO"


class Report(NamedTuple):
    """Whom and what the import made, and a line for each thing that it did not."""

    made: defaultdict[str, list[str]]
    problems: list[str]

    def attempt(self, kind: str, name: str, deed: Callable[[], object]) -> bool:
        """Do one thing, and note that it was done or why not."""
        try:
            deed()
        except IdentityError as error:
            self.problems.append(f"{kind} {name}: {error}")
            return False
        self.made[kind].append(name)
        return True


class Export:
    """The archive: each of its files is an object of JSON, by name."""

    def __init__(self, path: str) -> None:
        """Read all of it; InvalidIdentity when it is none."""
        try:
            with zipfile.ZipFile(path) as archive:
                self._files = {
                    name.removeprefix(FOLDER): json.loads(archive.read(name))
                    for name in archive.namelist()
                    if name.startswith(FOLDER) and name.endswith(".json")
                }
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise InvalidIdentity("file", f"{path} cannot be read: {error}.") from error
        if "policies.json" not in self._files:
            raise InvalidIdentity("file", f"{path} is no export of `mc admin cluster iam export`.")

    def file(self, name: str) -> dict[str, Any]:
        """Get the things of one kind; none where the archive has no such file."""
        return self._files.get(f"{name}.json") or {}

    def policies_of(self, mappings: str, name: str) -> list[str]:
        """List the policies that a user or a group was given."""
        given = self.file(mappings).get(name, {}).get("policy", "")
        return [policy.strip() for policy in given.split(",") if policy.strip()]


def import_export(export: Export) -> Report:
    """Make policies, groups, users and keys; what is there already is told and stays as it is."""
    report = Report(defaultdict(list), [])
    known = _import_policies(export, report)
    groups = _import_groups(export, report, known)
    _import_users(export, report, known, groups)
    for access_key, account in export.file("svcaccts").items():
        report.attempt("access key", access_key, partial(_import_account, account))
    return report


def _import_policies(export: Export, report: Report) -> set[str]:
    """Make the managed policies; say which names can be attached."""
    known = {policy.name for policy in services.list_policies()}
    for name, document in export.file("policies").items():
        statements = document.get("Statement") or []
        kept = [each for each in statements if not _is_foreign(each)]
        if kept != statements and name != ADMINISTRATORS:
            report.problems.append(
                f"policy {name}: what it says of administering MinIO is left out"
            )
        if not kept or name == ADMINISTRATORS or name in known:
            continue
        text = json.dumps({**document, "Statement": kept})
        if report.attempt("policy", name, partial(services.create_policy, name, text)):
            known.add(name)
    return known


def _is_foreign(statement: dict[str, Any]) -> bool:
    actions = statement.get("Action") or []
    actions = [actions] if isinstance(actions, str) else actions
    return bool(actions) and all(action.startswith(FOREIGN) for action in actions)


def _import_groups(export: Export, report: Report, known: set[str]) -> dict[str, list[str]]:
    """Make the groups with their policies; say for each user in which he is."""
    member_of: dict[str, list[str]] = defaultdict(list)
    for name, group in export.file("groups").items():
        if group.get("status") == "disabled":
            report.problems.append(f"group {name}: is disabled in MinIO, and not made")
            continue
        policies = [each for each in export.policies_of("group_mappings", name) if each in known]
        if report.attempt("group", name, partial(services.create_group, name, policies=policies)):
            for member in group.get("members") or []:
                member_of[member].append(name)
    return member_of


def _import_users(
    export: Export, report: Report, known: set[str], groups: dict[str, list[str]]
) -> None:
    """Make the users, each with the key that his name was in MinIO."""
    for name, entry in export.file("users").items():
        given = export.policies_of("user_mappings", name)
        for policy in given:
            if policy not in known and policy != ADMINISTRATORS:
                report.problems.append(f"user {name}: there is no policy {policy}")
        role = RoleName.SUPERUSER.value if ADMINISTRATORS in given else None
        policies = [policy for policy in given if policy in known]

        report.attempt(
            "user", name, partial(_import_user, name, entry, role, policies, groups.get(name, []))
        )


def _import_user(
    name: str,
    entry: dict[str, Any],
    role: str | None,
    policies: list[str],
    groups: list[str],
) -> None:
    """Make one user and his key; IdentityError."""
    user = services.create_user(name, role, groups=groups, policies=policies)
    services.create_key(user.pk, access_key=name, secret_key=entry["secretKey"], name=KEY_NAME)
    if entry.get("status") == "disabled":
        services.set_active(user.pk, active=False)


def _import_account(account: dict[str, Any]) -> None:
    """Make a service account of MinIO the access key that it is; IdentityError.

    One whose parent is no user was made by the root user.
    """
    parent = User.objects.filter(username=account["parent"]).first()
    parent = parent or User.objects.get(is_root=True)
    policy = account.get("sessionPolicy") or {}
    services.create_key(
        parent.pk,
        access_key=account["accessKey"],
        secret_key=account["secretKey"],
        name=account.get("name") or account.get("description") or KEY_NAME,
        expires_at=_end(account.get("expiration")),
        policy=json.dumps(policy) if policy.get("Statement") else "",
    )
    if account.get("status") == "off":
        services.set_key_enabled(account["accessKey"], enabled=False)


def _end(text: str | None) -> datetime | None:
    """Read when a key ends; MinIO writes moments long ago for never."""
    end = datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)
    return end if end.year > datetime.fromtimestamp(0, UTC).year else None
