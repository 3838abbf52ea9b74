"""Every page of the console, asked for by everybody: what is not in the table is for SuperUsers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from django.test import Client
from django.urls import URLResolver, get_resolver

from buckets.services import create_bucket, load_registry
from iam import services
from iam.keyring import RoleName
from iam.models import AccessKey, AuditEntry, InlinePolicy
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

# Statuses of nobody, a Reader, the Writer whose things are asked for, another one, a SuperUser.
# Nobody is sent to sign in; to whom a row is not shown it is not there, and he is sent back.
SIGNED_IN: Final = (302, 200, 200, 200, 200)
WHOSE_IT_IS: Final = (302, 302, 200, 302, 200)
TO_THE_AUDIT_LOG: Final = (302, 302, 200, 302, 302)
SENT_ON: Final = (302, 302, 302, 302, 302)
METRICS: Final = (401, 403, 403, 403, 503)
OTHERS: Final = (302, 403, 403, 403)
ROLES: Final = {
    "rita": RoleName.READER,
    "wilma": RoleName.WRITER,
    "foreigner": RoleName.WRITER,
    "boss": RoleName.SUPERUSER,
}
# What a bucket's page has beside its overview.
SECTIONS: Final = (
    *("versioning", "object-lock", "quota", "policy", "tags", "cors"),
    *("permissions", "permissions/public-access", "permissions/ownership", "permissions/acl"),
    "permissions/key",
    *("lifecycle", "lifecycle/rule", "lifecycle/preview"),
)
# What is for more people than SuperUsers; `?` is an id.
TABLE: Final = {
    # 503: of a process that does not serve; tests/e2e/test_metrics.py knows what is told then.
    "metrics": METRICS,
    **{f"minio/v2/metrics/{part}": METRICS for part in ("cluster", "node", "bucket", "resource")},
    "login/": (200, 302, 302, 302, 302),
    "password_change/": SIGNED_IN,
    "password_change/done/": SIGNED_IN,
    "access/": SIGNED_IN,
    "policy-check/": SIGNED_IN,
    "browse/": SIGNED_IN,
    # No bucket is called that: who may open which, tests/s4project/test_browse.py knows.
    "browse/<str:name>": (302, 404, 404, 404, 404),
    "browse/<str:name>/rights": (302, 404, 404, 404, 404),
    "search/": SIGNED_IN,
    "": SIGNED_IN,
    "autocomplete/": (302, 403, 403, 403, 403),
    "jsi18n/": SIGNED_IN,
    "r/?/?/": (302, 404, 404, 404, 404),
    "iam/": SIGNED_IN,
    "operations/tasks/?/": (302, 403, 403, 403, 404),
    "nowhere": (302, 404, 404, 404, 404),
    "iam/accesskey/": SIGNED_IN,
    "iam/accesskey/add/": SIGNED_IN,
    **{f"iam/accesskey/?/{page}/": WHOSE_IT_IS for page in ("delete", "change")},
    "iam/accesskey/?/history/": TO_THE_AUDIT_LOG,
    "buckets/bucket/": SIGNED_IN,
    "buckets/bucket/add/": (302, 403, 200, 200, 200),
    "buckets/bucket/?/delete/": (302, 403, 200, 302, 200),
    **{f"buckets/bucket/?/{page}/": WHOSE_IT_IS for page in ("change", *SECTIONS)},
    "buckets/bucket/?/history/": TO_THE_AUDIT_LOG,
}
DOCUMENT: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
    }
)


def make_rows() -> dict[str, int]:
    """Make people, and a row of each kind that is the Writer's; answer their ids."""
    users = {name: person(name, role) for name, role in ROLES.items()}
    wilma = users["wilma"]
    key = services.create_key(wilma.pk)
    services.put_inline_policy(wilma, "inline", DOCUMENT)
    create_bucket("box", wilma.canonical_id)
    bucket = load_registry().find("box")
    assert bucket is not None
    return {
        "accesskey": AccessKey.objects.get(access_key=key.access_key).pk,
        "auditentry": AuditEntry.objects.earliest("id").pk,
        "bucket": bucket.id,
        "group": services.create_group("group").pk,
        "inlinepolicy": InlinePolicy.objects.get().pk,
        "policy": services.create_policy("policy", DOCUMENT).pk,
        "role": services.create_role("role").pk,
        "user": wilma.pk,
    }


def pages(resolver: URLResolver, start: str = "") -> Iterator[str]:
    """Walk over the addresses of the console, ids as `?`."""
    for each in resolver.url_patterns:
        path = start + str(each.pattern)
        if path.startswith("api/"):
            continue
        if isinstance(each, URLResolver):
            yield from pages(each, path)
        else:
            path = re.sub(r"<(?:\w+:)?\w*id>", "?", path)
            path = re.sub(r"\^\(\?P<app_label>.*", "iam/", path)
            yield path.replace("(?P<url>.*)$", "nowhere")


def test_pages_are_for_superusers_unless_the_table_says_else(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> None:
    """Each page answers each kind of person as the table has it, and a new one SuperUsers alone."""
    found, expected = {}, {}
    with opened(settings, tmp_path):
        ids = make_rows()
        browsers = [Client(), *map(browser, ROLES)]
        for page in sorted(set(pages(get_resolver()))):
            if page == "logout/":
                continue
            model = page.split("/")[1] if page.count("/") > 1 else ""
            address = "/" + page.replace("?", str(ids.get(model, 1)))
            statuses = tuple(each.get(address).status_code for each in browsers)
            found[page] = statuses
            default = SENT_ON if page.endswith("?/") else (*OTHERS, statuses[-1])
            expected[page] = TABLE.get(page, default)
    assert found == expected
    assert found.keys() >= TABLE.keys()
