"""The console's pages for buckets: declarations over `buckets.services`."""

# ruff: noqa: ARG002, FBT001  # the signatures are Django's
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html

from buckets import services
from buckets.configuration import PublicAccessBlock
from buckets.explaining import explain_access
from buckets.models import Bucket
from buckets.naming import check_bucket_name
from iam.admin import UserPages
from iam.backends import address_of
from iam.console import OwnedAdmin, is_superuser, signed_in
from iam.console_panels import Panel, first, link
from iam.documents import load_policy
from iam.explanation import Outcome
from iam.keyring import RoleName
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from iam.models import User


OF_ROW: Final = ("region", "created_at", "versioning")
COMPUTED: Final = (
    *("object_ownership", "public_access", "bucket_policy", "acl", "bucket_tags"),
    *("objects", "versions", "size", "uploads"),
)


class NotAllowed(services.BucketError):
    """Policies deny it; the text says which."""


@admin.register(Bucket)
class BucketPages(OwnedAdmin):
    """Buckets: everybody's own, for SuperUsers all."""

    refusals = (*OwnedAdmin.refusals, services.BucketError, services.InvalidBucketName)
    owner_field = "owner"
    autocomplete_fields = ("owner",)
    list_display = ("name", "owner", "objects", "size", "region", "created_at")
    search_fields = ("name", "owner__username")
    actions = None  # deleting closes a namespace for ever: one bucket at a time

    @admin.display(description="objects")
    def objects(self, bucket: Bucket) -> int:
        """Count the objects; the engine keeps the figure."""
        return get_engine().namespace_counts(bucket.pk).objects

    @admin.display(description="versions")
    def versions(self, bucket: Bucket) -> int:
        """Count the objects with their older versions and delete markers."""
        return get_engine().namespace_counts(bucket.pk).versions

    @admin.display(description="size")
    def size(self, bucket: Bucket) -> str:
        """Show what the objects' sizes add up to."""
        return filesizeformat(get_engine().namespace_counts(bucket.pk).bytes)

    @admin.display(description="unfinished uploads")
    def uploads(self, bucket: Bucket) -> int:
        """Count the multipart uploads that are neither completed nor aborted."""
        return get_engine().namespace_counts(bucket.pk).uploads

    @admin.display(description="object ownership")
    def object_ownership(self, bucket: Bucket) -> str:
        """Say who owns what others write; without controls it is who writes."""
        return bucket.ownership or "no controls (as ObjectWriter)"

    @admin.display(description="public access")
    def public_access(self, bucket: Bucket) -> str:
        """Say which kinds of public access are blocked."""
        block = bucket.public_access_block or {}
        blocked = [name.replace("_", " ") for name, is_on in block.items() if is_on]
        if len(blocked) == len(PublicAccessBlock.__struct_fields__):
            return "blocked"
        return ", ".join(blocked) or "not blocked"

    @admin.display(description="ACL")
    def acl(self, bucket: Bucket) -> str:
        """Say what is granted to others than the owner, or beside his full control."""
        if bucket.grants is None:
            return "private"
        return ", ".join(f"{permission} to {grantee}" for grantee, permission in bucket.grants)

    @admin.display(description="policy")
    def bucket_policy(self, bucket: Bucket) -> str:
        """Show the policy, after whether it lets everybody in."""
        if bucket.policy is None:
            return "none"
        kind = "Public." if load_policy(bucket.policy).is_public else "Not public."
        text = json.dumps(json.loads(bucket.policy), indent=2, ensure_ascii=False)
        return format_html("{}<pre class='policy-text'>{}</pre>", kind, text)

    @admin.display(description="tags")
    def bucket_tags(self, bucket: Bucket) -> str:
        """List the bucket's own tags."""
        return ", ".join(f"{key}={value}" for key, value in bucket.tags.items()) or "none"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer it to all but Readers; policies decide when it is done."""
        return _may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Bucket | None = None) -> bool:
        """Let nobody change a bucket here: name, owner and region are for ever."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Bucket | None = None) -> bool:
        """Offer it to all but Readers for their own, to SuperUsers for any; policies decide."""
        return _may_write(request) and self.is_theirs(request, obj)

    def get_fields(self, request: HttpRequest, obj: Bucket | None = None) -> Any:
        """Ask for the name, and SuperUsers for the owner."""
        if obj is not None:
            return ("name", "owner", *OF_ROW, *COMPUTED)
        return ("name", "owner") if is_superuser(request) else ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Bucket | None = None) -> Any:
        """Show what the row does not hold."""
        return (*OF_ROW, *COMPUTED) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the signed-in user as the owner."""
        return {"owner": request.user.pk}

    def save_model(self, request: HttpRequest, obj: Bucket, form: Any, change: bool) -> None:
        """Make the bucket through the service."""
        assert not change, "buckets cannot be changed here"
        _ask_policies(request, "s3:CreateBucket", obj.name)
        owner = self.owner_of(request, obj)
        obj.pk = services.create_bucket(obj.name, owner.canonical_id).id

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Ask for confirmation; taken, delete outside any transaction, as the service demands."""
        bucket = self.get_object(request, unquote(object_id))
        if request.method != "POST" or bucket is None:
            return super().delete_view(request, object_id, extra_context)
        if not self.has_delete_permission(request, bucket):
            return super().delete_view(request, object_id, extra_context)
        return self._delete(request, bucket)

    def _delete(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Delete a bucket and go to the list, or say why not and stay."""
        try:
            _ask_policies(request, "s3:DeleteBucket", bucket.name)
            services.delete_bucket(bucket.name, bucket_id=bucket.pk)
        except self.refusals as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:buckets_bucket_change", args=[bucket.pk]))
        self.log_deletions(request, [bucket])  # type: ignore[arg-type]  # as Django itself does
        messages.success(request, f"The bucket {bucket} was deleted.")
        return HttpResponseRedirect(reverse("admin:buckets_bucket_changelist"))


def _buckets_of(user: User) -> Panel:
    """List the buckets that a user owns, for his page."""
    owned, note = first(Bucket.objects.filter(owner=user).order_by("name"))
    return Panel(
        title="Buckets",
        headers=("Name", "Objects", "Size"),
        rows=[
            (
                link(bucket, "buckets_bucket_change", bucket.pk),
                (counts := get_engine().namespace_counts(bucket.pk)).objects,
                filesizeformat(counts.bytes),
            )
            for bucket in owned
        ],
        empty="None.",
        note=note,
    )


UserPages.more_panels.append(_buckets_of)


def _may_write(request: HttpRequest) -> bool:
    """Whether making and deleting buckets is worth offering: a Reader's role has it not."""
    user = signed_in(request)
    return user is not None and user.role_id != RoleName.READER


def _ask_policies(request: HttpRequest, action: str, name: str) -> None:
    """Let policies decide about a change to a bucket, as they decide requests; NotAllowed.

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
    told = explain_access(action, name, username=user.username, context=context)
    if told.outcome is not Outcome.ALLOWED:
        raise NotAllowed(told.why)
