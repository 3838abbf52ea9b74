"""What `mc admin cluster iam export` of MinIO wrote, as S4's services take it.

Knows the form of the archive and which of MinIO's words have no meaning here; writes through
`iam.services` alone. What cannot be taken over is told, thing by thing, and the rest goes on; an
archive that is not as MinIO writes it is refused before anything is made.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from django.db import transaction

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


class MinioUser(msgspec.Struct, rename="camel"):
    """A user, by name."""

    secret_key: str
    status: str = ""


class MinioGroup(msgspec.Struct):
    """A group, by name."""

    status: str = ""
    members: list[str] | None = None


class MinioMapping(msgspec.Struct):
    """What a user or a group was given: names of policies with commas between."""

    policy: str = ""


class MinioAccount(msgspec.Struct, rename="camel"):
    """A service account, by access key."""

    parent: str
    access_key: str
    secret_key: str
    session_policy: dict[str, Any] | None = None
    status: str = ""
    name: str = ""
    description: str = ""
    expiration: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class MinioPolicy(msgspec.Struct, rename="pascal"):
    """What is read of a policy; the document is handed on as it is."""

    statement: list[dict[str, Any]] | None = None


class Archive(msgspec.Struct):
    """The archive's files that are read."""

    policies: dict[str, dict[str, Any]]
    users: dict[str, MinioUser] = {}
    groups: dict[str, MinioGroup] = {}
    user_mappings: dict[str, MinioMapping] = {}
    group_mappings: dict[str, MinioMapping] = {}
    svcaccts: dict[str, MinioAccount] = {}


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


def read_export(path: str) -> Archive:
    """Read all of an archive; InvalidIdentity when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = {
                name.removeprefix(FOLDER).removesuffix(".json"): json.loads(archive.read(name))
                for name in archive.namelist()
                if name.startswith(FOLDER) and name.endswith(".json")
            }
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise InvalidIdentity("file", f"{path} cannot be read: {error}.") from error
    if not files.get("policies"):
        raise InvalidIdentity("file", f"{path} is no export of `mc admin cluster iam export`.")
    try:
        found = msgspec.convert({name: file for name, file in files.items() if file}, Archive)
        msgspec.convert(found.policies, dict[str, MinioPolicy])
    except msgspec.ValidationError as error:
        reason = f"{path} is not as MinIO writes it: {error}."
        raise InvalidIdentity("file", reason) from error
    return found


def policies_of(mappings: dict[str, MinioMapping], name: str) -> list[str]:
    """List the policies that a user or a group was given."""
    given = mappings[name].policy if name in mappings else ""
    return [policy.strip() for policy in given.split(",") if policy.strip()]


def import_export(export: Archive) -> Report:
    """Make policies, groups, users and keys; what is there already is told and stays as it is."""
    report = Report(defaultdict(list), [])
    known = _import_policies(export, report)
    groups = _import_groups(export, report, known)
    _import_users(export, report, known, groups)
    for access_key, account in export.svcaccts.items():
        report.attempt("access key", access_key, partial(_import_account, account))
    return report


def _import_policies(export: Archive, report: Report) -> set[str]:
    """Make the managed policies; say which names can be attached."""
    known = {policy.name for policy in services.list_policies()}
    for name, document in export.policies.items():
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
    return bool(actions) and all(str(action).startswith(FOREIGN) for action in actions)


def _import_groups(export: Archive, report: Report, known: set[str]) -> dict[str, list[str]]:
    """Make the groups with their policies; say for each user in which he is."""
    member_of: dict[str, list[str]] = defaultdict(list)
    for name, group in export.groups.items():
        if group.status == "disabled":
            report.problems.append(f"group {name}: is disabled in MinIO, and not made")
            continue
        policies = [each for each in policies_of(export.group_mappings, name) if each in known]
        if report.attempt("group", name, partial(services.create_group, name, policies=policies)):
            for member in group.members or []:
                member_of[member].append(name)
    return member_of


def _import_users(
    export: Archive, report: Report, known: set[str], groups: dict[str, list[str]]
) -> None:
    """Make the users, each with the key that his name was in MinIO."""
    for name, entry in export.users.items():
        given = policies_of(export.user_mappings, name)
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
    entry: MinioUser,
    role: str | None,
    policies: list[str],
    groups: list[str],
) -> None:
    """Make one user and his key, or neither; IdentityError."""
    with transaction.atomic():
        user = services.create_user(name, role, groups=groups, policies=policies)
        services.create_key(user.pk, access_key=name, secret_key=entry.secret_key, name=KEY_NAME)
        if entry.status == "disabled":
            services.set_active(user.pk, active=False)


def _import_account(account: MinioAccount) -> None:
    """Make a service account of MinIO the access key that it is; IdentityError.

    One whose parent is no user was made by the root user.
    """
    parent = User.objects.filter(username=account.parent).first()
    parent = parent or User.objects.get(is_root=True)
    policy = account.session_policy or {}
    with transaction.atomic():
        services.create_key(
            parent.pk,
            access_key=account.access_key,
            secret_key=account.secret_key,
            name=account.name or account.description or KEY_NAME,
            expires_at=_end(account.expiration),
            policy=json.dumps(policy) if policy.get("Statement") else "",
        )
        if account.status == "off":
            services.set_key_enabled(account.access_key, enabled=False)


def _end(end: datetime | None) -> datetime | None:
    """Tell when a key ends; MinIO writes moments long ago for never."""
    return end if end and end.year > datetime.fromtimestamp(0, UTC).year else None
