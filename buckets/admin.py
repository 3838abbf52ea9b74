"""The console's pages for buckets: declarations over `buckets.services`.

The sections of a bucket's page stand in modules of their own; this one has the list, what is asked
for a new bucket, the overview and the deletion.
"""

# ruff: noqa: ARG002, FBT001, FBT002  # the signatures are Django's
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from buckets import services
from buckets.admin_delete import ConfirmForm, confirmation
from buckets.admin_lifecycle import LifecycleSection
from buckets.admin_lock import LockSection
from buckets.admin_overview import overview
from buckets.admin_preview import PreviewSection
from buckets.admin_quota import QuotaSection
from buckets.admin_rule import RuleSection
from buckets.admin_use import buckets_panel, draw_use, use_panel
from buckets.admin_versioning import VersioningSection
from buckets.console import address, ask_policies, may_write, tabs
from buckets.forms import BucketForm, OwnBucketForm, actions_of, new_bucket
from buckets.models import Bucket
from iam.admin import UserPages
from iam.console import OwnedAdmin, is_superuser
from iam.forms_quotas import QUOTA_FIELDS
from iam.sizes import size_text
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from buckets.console import Section


OF_ROW: Final = ("owner", "region", "created_at", "bucket_tags")


@admin.register(Bucket)
class BucketPages(OwnedAdmin):
    """Buckets: everybody's own, for SuperUsers all."""

    refusals = (*OwnedAdmin.refusals, services.BucketError, services.InvalidBucketName)
    owner_field = "owner"
    nothing_yet = _("Objects lie in buckets. The first is made here, or by any S3 client.")
    autocomplete_fields = ("owner",)
    list_display = ("name", "owner", "objects", "size", "use", "region", "created_at")
    search_fields = ("name", "owner__username")
    # Those that speak S3's own documents are added by `s4project.admin`.
    sections: ClassVar[list[type[Section]]] = [
        *(VersioningSection, LockSection, QuotaSection),
        *(PreviewSection, RuleSection, LifecycleSection),
    ]
    actions = None  # deleting closes a namespace for ever: one bucket at a time
    change_form_outer_before_template = "admin/buckets/tabs.html"
    change_form_outer_after_template = "admin/iam/panels.html"

    def get_urls(self) -> list[Any]:
        """Add the sections of a bucket's page."""
        sections = [
            path(
                f"<path:object_id>/{section.tab and section.tab + '/'}{section.slug}/",
                self.admin_site.admin_view(section(self)),
                name=f"buckets_bucket_{section.slug}",
            )
            for section in self.sections
        ]
        return [*sections, *super().get_urls()]

    def gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send back whom a bucket is not shown to, as Django does on its own pages."""
        sent: HttpResponse = self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined]  # Django's
            request, self.opts, object_id
        )
        return sent

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """Show the overview, unless the bucket has gone while it was being read."""
        try:
            return super().change_view(request, object_id, *args, **kwargs)
        except services.NoSuchBucket:
            return self.gone(request, object_id)

    @admin.display(description=_("objects"))
    def objects(self, bucket: Bucket) -> int:
        """Count the objects; the engine keeps the figure."""
        return get_engine().namespace_counts(bucket.pk).objects

    @admin.display(description=_("size"))
    def size(self, bucket: Bucket) -> str:
        """Show what the objects' sizes add up to."""
        return size_text(get_engine().namespace_counts(bucket.pk).bytes)

    @admin.display(description=_("quota"))
    def use(self, bucket: Bucket) -> str:
        """Show how much of the quota is used."""
        return draw_use(bucket)

    @admin.display(description=_("tags"))
    def bucket_tags(self, bucket: Bucket) -> str:
        """List the bucket's own tags."""
        return ", ".join(f"{key}={value}" for key, value in bucket.tags.items()) or gettext("none")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer it to all but Readers; policies decide when it is done."""
        return may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Bucket | None = None) -> bool:
        """Let nobody change a bucket here: name, owner and region are for ever."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Bucket | None = None) -> bool:
        """Offer it to all but Readers for their own, to SuperUsers for any; policies decide."""
        return may_write(request) and self.is_theirs(request, obj)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Let SuperUsers alone say what a new bucket may hold."""
        kwargs["form"] = BucketForm if is_superuser(request) else OwnBucketForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Bucket | None = None) -> Any:
        """Ask for the name and what is best set at once; SuperUsers for owner and quota."""
        if obj is not None:
            return OF_ROW
        asked = ("name", "keeps_versions", "is_locked")
        return ("name", "owner", *asked[1:], *QUOTA_FIELDS) if is_superuser(request) else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Bucket | None = None) -> Any:
        """Show what the row does not hold."""
        return OF_ROW if obj else ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show below what the bucket is what it holds and what is set, and lead to the rest."""
        bucket = kwargs.get("obj")
        if bucket is not None:
            context["panels"] = overview(bucket, self._ways(request, bucket))
            context["tabs"] = tabs(bucket, "change")
        return super().render_change_form(request, context, *args, **kwargs)

    def _ways(self, request: HttpRequest, bucket: Bucket) -> list[tuple[str, str]]:
        """Lead to the objects, to a key for them alone, and to where they are all deleted."""
        ways = [
            (gettext("Browse"), reverse("browse_bucket", args=[bucket.name])),
            (gettext("Make a key for this bucket"), address(bucket, "key")),
        ]
        if self.has_delete_permission(request, bucket):
            ways.append((gettext("Empty or delete"), address(bucket, "delete")))
        return ways

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the signed-in user as the owner."""
        return {"owner": request.user.pk}

    def save_model(self, request: HttpRequest, obj: Bucket, form: Any, change: bool) -> None:
        """Make the bucket through the service."""
        assert not change, "buckets cannot be changed here"
        wanted = new_bucket(form.cleaned_data)
        for action in actions_of(wanted):
            ask_policies(request, action, obj.name, is_new=True)
        owner = self.owner_of(request, obj)
        obj.pk = services.create_bucket(obj.name, owner.canonical_id, configuration=wanted).id

    def response_add(
        self, request: HttpRequest, obj: Bucket, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on to the objects, of which there are none yet, unless another bucket is wanted."""
        if {"_addanother", "_continue"} & request.POST.keys():
            return super().response_add(request, obj, post_url_continue)
        said = gettext("The bucket %(name)s was made. Upload something, or set it up first.")
        messages.success(request, said % {"name": obj.name})
        return HttpResponseRedirect(reverse("browse_bucket", args=[obj.name]))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Ask for confirmation; taken, delete outside any transaction, as the service demands."""
        bucket = self.get_object(request, unquote(object_id))
        if bucket is None or not self.has_delete_permission(request, bucket):
            return super().delete_view(request, object_id, extra_context)
        form = ConfirmForm(bucket.name, request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._delete(request, bucket)
        return confirmation(request, bucket, form)

    def _delete(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Delete a bucket and go to the list, or say why not and stay."""
        try:
            ask_policies(request, "s3:DeleteBucket", bucket.name)
            services.delete_bucket(bucket.name, bucket_id=bucket.pk)
        except self.refusals as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:buckets_bucket_delete", args=[bucket.pk]))
        self.log_deletions(request, [bucket])  # type: ignore[arg-type]  # as Django itself does
        messages.success(request, gettext("The bucket %(name)s was deleted.") % {"name": bucket})
        return HttpResponseRedirect(reverse("admin:buckets_bucket_changelist"))


UserPages.more_panels += [use_panel, buckets_panel]
