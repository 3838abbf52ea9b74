"""What every page about one bucket obeys: who sees it, who may set what, how refusals are told.

A bucket's page has sections, each at an address and in a module of its own. A section shows; what
it changes it gives to a service, once policies have allowed what S3 would ask them for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from buckets import services
from buckets.explaining import explain_access
from buckets.models import Bucket
from buckets.naming import check_bucket_name
from buckets.snapshot import states
from iam.backends import address_of
from iam.console import is_superuser, signed_in
from iam.errors import IdentityError
from iam.explanation import Outcome
from iam.keyring import RoleName

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.forms import Form
    from django.http import HttpRequest, HttpResponse
    from django_stubs_ext import StrOrPromise

    from buckets.admin import BucketPages
    from buckets.configuration import BucketConfiguration

REFUSALS = (IdentityError, services.BucketError, services.InvalidBucketName)


class NotAllowed(services.BucketError):
    """Policies deny it; the text says which."""


def may_write(request: HttpRequest) -> bool:
    """Whether making, setting and deleting is worth offering: a Reader's role has it not."""
    user = signed_in(request)
    return user is not None and user.role_id != RoleName.READER


def ask_policies(request: HttpRequest, action: str, name: str, *, is_new: bool = False) -> None:
    """Let policies decide about a bucket, as they decide requests; NotAllowed.

    The role only says to whom the page is shown: policies may deny what it gives.
    """
    check_bucket_name(name)
    user = signed_in(request)
    assert user is not None, "the permission was checked"
    context = {
        "aws:SourceIp": address_of(request),
        "aws:SecureTransport": str(request.is_secure()).lower(),
        "aws:UserAgent": request.headers.get("User-Agent", ""),
    }
    told = explain_access(action, name, username=user.username, context=context, is_new=is_new)
    if told.outcome is not Outcome.ALLOWED:
        raise NotAllowed(told.why)


class Tab(NamedTuple):
    """One section of a bucket's page: the end of its address, and its title."""

    slug: str
    title: StrOrPromise


# The pages of some are of a higher layer: see `buckets.admin.BucketPages.sections`.
TABS = (
    Tab("change", _("Overview")),
    Tab("permissions", _("Access")),
    Tab("policy", _("Policy")),
    Tab("versioning", _("Versioning")),
    Tab("object-lock", _("Object Lock")),
    Tab("lifecycle", _("Lifecycle")),
    Tab("quota", _("Quota")),
    Tab("tags", _("Tags")),
    Tab("cors", _("CORS")),
)


def address(bucket: Bucket, slug: str) -> str:
    """Tell where a section of a bucket's page is."""
    return reverse(f"admin:buckets_bucket_{slug}", args=[bucket.pk])


def tabs(bucket: Bucket, open_slug: str) -> list[tuple[StrOrPromise, str, bool]]:
    """List the sections of a bucket's page: title, address, and whether it is the one open."""
    return [(tab.title, address(bucket, tab.slug), tab.slug == open_slug) for tab in TABS]


def configuration_of(bucket: Bucket) -> BucketConfiguration:
    """Read all that is set on the bucket of a row; NoSuchBucket: it was deleted a moment ago."""
    state = next(states(Bucket.objects.filter(pk=bucket.pk)), None)
    if state is None:
        raise services.NoSuchBucket(bucket.name)
    return state.configuration


class Section:
    """A section of a bucket's page; its `actions` are what buttons of its forms ask for."""

    slug: ClassVar[str]
    template: ClassVar[str]
    tab: ClassVar[str] = ""  # the tab it stands under, where it is none itself
    refusals: ClassVar[tuple[type[Exception], ...]] = REFUSALS

    def __init__(self, pages: BucketPages) -> None:
        self.pages = pages

    def __call__(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer who may see the bucket; from others it is hidden."""
        bucket = self.pages.get_object(request, unquote(object_id))
        if bucket is None:
            return self.pages.gone(request, object_id)
        if not self.pages.has_view_permission(request, bucket):
            raise PermissionDenied
        try:
            return self._answer(request, bucket)
        except services.NoSuchBucket:
            return self.pages.gone(request, object_id)

    def _answer(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Show the section, or do what a form of it asks for."""
        if request.method != "POST":
            return self.show(request, bucket)
        if not self.may_set(request, bucket):
            raise PermissionDenied
        act = self.actions().get(request.POST.get("do", "").partition(" ")[0])
        if act is None:
            raise BadRequest(gettext("The form does not say what to do."))
        return act(request, bucket)

    def may_set(self, request: HttpRequest, bucket: Bucket) -> bool:
        """Whether to offer what changes the bucket; policies decide when it is done."""
        return may_write(request) and self.pages.is_theirs(request, bucket)

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what the forms can ask for."""
        return {}

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Collect what the section shows."""
        del request, bucket
        return {}

    def show(self, request: HttpRequest, bucket: Bucket, **more: Any) -> HttpResponse:
        """Show the section; what is in `more` takes the place of what it would show itself."""
        context = {
            **admin.site.each_context(request),
            "title": bucket.name,
            "opts": Bucket._meta,  # noqa: SLF001  # Django's public name
            "original": bucket,
            "tabs": tabs(bucket, self.tab or self.slug),
            "may_set": self.may_set(request, bucket),
            "is_superuser": is_superuser(request),
            **self.context(request, bucket),
            **more,
        }
        return TemplateResponse(request, self.template, context)

    def save(
        self, request: HttpRequest, bucket: Bucket, change: Callable[[], object], said: str
    ) -> HttpResponse:
        """Make a change and say so, or say why not; either way show the section anew."""
        try:
            change()
        except self.refusals as error:
            messages.error(request, str(error))
        else:
            self.note(request, bucket, said)
        return HttpResponseRedirect(address(bucket, self.tab or self.slug))

    def save_form(
        self,
        request: HttpRequest,
        bucket: Bucket,
        form: Form,
        change: Callable[[], object],
        said: str,
    ) -> HttpResponse:
        """Make the change that a form asks for; else show it again, the reason at its field."""
        if form.is_valid():
            try:
                change()
            except self.refusals as error:
                self.refuse(form, error)
            else:
                self.note(request, bucket, said)
                return HttpResponseRedirect(address(bucket, self.tab or self.slug))
        return self.show(request, bucket, form=form)

    def refuse(self, form: Form, error: Exception) -> None:
        """Put what a service refused at the field it is about."""
        field = getattr(error, "field", "")
        known = field if field in form.fields else None
        reason = getattr(error, "reason", "") if known else ""
        form.add_error(known, reason or str(error))

    def note(self, request: HttpRequest, bucket: Bucket, said: str) -> None:
        """Write a change into the console's history, and say that it was made."""
        self.pages.log_change(request, bucket, said)
        messages.success(request, said)
