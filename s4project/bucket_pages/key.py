"""A key for one bucket in one step: with a user of its own, or narrowed from who makes it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.db import transaction
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from buckets.console import Section
from buckets.naming import bucket_arn
from iam import services
from iam.console import is_superuser, signed_in
from iam.models import AccessKey
from iam.sealing import SealingError
from s4project.bucket_pages.policy_forms import PLAIN, check_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket
    from iam.models import User

READ, WRITE, BOTH, ALL = "read", "write", "both", "all"
LISTING: Final = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
READING: Final = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"]
WRITING: Final = [
    *("s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"),
    "s3:ListMultipartUploadParts",
]
# What a key may: the actions on the bucket, and those on its objects.
RIGHTS: Final[dict[str, tuple[Any, list[str], list[str]]]] = {
    READ: (gettext_lazy("List and read"), LISTING[:2], READING),
    BOTH: (
        gettext_lazy("List, read, write and delete"),
        LISTING,
        [*READING, *WRITING, "s3:DeleteObject"],
    ),
    WRITE: (
        gettext_lazy("Write only: neither see nor read what is there"),
        ["s3:GetBucketLocation"],
        WRITING,
    ),
    ALL: (
        gettext_lazy("Everything, versions and settings of the bucket too"),
        ["s3:*"],
        ["s3:*"],
    ),
}
DAYS: Final = [
    ("", gettext_lazy("never")),
    ("1", gettext_lazy("in a day")),
    ("7", gettext_lazy("in a week")),
    ("30", gettext_lazy("in 30 days")),
    ("90", gettext_lazy("in 90 days")),
    ("365", gettext_lazy("in a year")),
]


class BucketKeyForm(forms.Form):
    """Who gets the key, and what it may."""

    username = forms.CharField(
        label=gettext_lazy("For a new user named"),
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget({"placeholder": "backup-of-laptop", **PLAIN}),
        help_text=gettext_lazy(
            "He has this key and nothing else: no role, no password. Empty: the key is yours, and "
            "may no more than what is chosen here."
        ),
    )
    rights = forms.ChoiceField(
        label=gettext_lazy("The key may"),
        choices=[(name, words) for name, (words, _bucket, _objects) in RIGHTS.items()],
        initial=BOTH,
        widget=UnfoldAdminRadioSelectWidget(),
    )
    below = forms.CharField(
        label=gettext_lazy("Only below the prefix"),
        required=False,
        max_length=1024,
        strip=False,
        validators=[check_prefix],
        widget=UnfoldAdminTextInputWidget({"placeholder": "reports/", **PLAIN}),
        help_text=gettext_lazy("Empty: in the whole bucket."),
    )
    days = forms.ChoiceField(
        label=gettext_lazy("It expires"),
        choices=DAYS,
        required=False,
        widget=UnfoldAdminSelectWidget({"class": "narrow-field"}),
    )

    def __init__(self, *args: Any, is_own: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_own:  # SuperUsers alone make users
            del self.fields["username"]

    def clean(self) -> dict[str, Any]:
        """Refuse everything for a part: settings are the whole bucket's."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("below") and cleaned.get("rights") == ALL:
            self.add_error("below", _("Everything is of the whole bucket: leave this empty."))
        return cleaned

    def policy(self, bucket: str) -> str:
        """Write what the key may."""
        _words, of_bucket, of_objects = RIGHTS[self.cleaned_data["rights"]]
        prefix, arn = self.cleaned_data["below"], bucket_arn(bucket)
        statements = [{"Sid": "Bucket", "Effect": "Allow", "Action": of_bucket, "Resource": arn}]
        if prefix and "s3:ListBucket" in of_bucket:
            others = [action for action in of_bucket if action != "s3:ListBucket"]
            listing: dict[str, Any] = {
                "Sid": "List",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": f"{prefix}*"}},
            }
            statements = [statements[0] | {"Action": others}, listing]
        objects = {"Action": of_objects, "Resource": f"{arn}/{prefix}*"}
        statements.append({"Sid": "Objects", "Effect": "Allow", **objects})
        return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


class KeySection(Section):
    """Makes a key that is good for this bucket alone, and shows its secret once."""

    slug = "key"
    tab = "permissions"
    template = "admin/buckets/key.html"
    refusals = (*Section.refusals, SealingError)

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return {"make": self._make}

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show the form."""
        del bucket
        return {"form": BucketKeyForm(is_own=not is_superuser(request))}

    def _make(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Make the user, if one is wanted, and the key: both or neither."""
        form = BucketKeyForm(request.POST, is_own=not is_superuser(request))
        if form.is_valid():
            try:
                with transaction.atomic():
                    key = self._made(request, bucket, form)
            except self.refusals as error:
                self.refuse(form, error)
            else:
                return self._shown(request, bucket, key)
        return self.show(request, bucket, form=form)

    def _made(self, request: HttpRequest, bucket: Bucket, form: BucketKeyForm) -> AccessKey:
        user = signed_in(request)
        assert user is not None, "the section is shown to who is signed in"
        name, policy = form.cleaned_data.get("username", ""), form.policy(bucket.name)
        owner: User = user
        if name:
            owner = services.create_user(name, None)
            services.put_inline_policy(owner, bucket.name, policy)
        days = form.cleaned_data["days"]
        expires_at = timezone.now() + timedelta(days=int(days)) if days else None
        # A user of its own is bounded by his policy: what he is given later, the key has too.
        narrowing = "" if name else policy
        new = services.create_key(
            owner.pk, name=bucket.name, expires_at=expires_at, policy=narrowing
        )
        made = AccessKey.objects.select_related("user").get(access_key=new.access_key)
        made.secret_shown_once = new.secret_key
        return made

    def _shown(self, request: HttpRequest, bucket: Bucket, key: AccessKey) -> HttpResponse:
        """Show the secret, in this one answer, with what a program is told besides."""
        said = _("An access key for this bucket was made: %(key)s.") % {"key": key.access_key}
        self.pages.log_change(request, bucket, said)
        context = {
            **admin.site.each_context(request),
            "title": _("Access key created"),
            "opts": AccessKey._meta,  # noqa: SLF001  # Django's public name
            "key": key,
            "secret_key": key.secret_shown_once,
            "bucket": bucket.name,
        }
        response = TemplateResponse(request, "admin/iam/accesskey/created.html", context)
        add_never_cache_headers(response)
        return response
