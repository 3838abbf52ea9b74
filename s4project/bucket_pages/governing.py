"""Versioning, Object Lock and lifecycle as documents, beside the forms that they have already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote, unquote

from django.utils.translation import gettext_lazy

from buckets.admin_lifecycle import LifecycleSection
from buckets.admin_lock import LockSection
from buckets.admin_preview import look
from buckets.admin_versioning import VersioningSection
from buckets.forms_lifecycle import MomentForm
from buckets.lifecycle import read_lifecycle
from s3api.operations.lifecycle import MINIMUM_SIZE
from s4project.bucket_pages.documents import DocumentRefused, Kind
from s4project.bucket_pages.editor import Editor, Refused, ask_s3

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket
    from s4project.bucket_pages.documents import Tree

TRYING: Final[tuple[type[Exception], ...]] = (DocumentRefused, *LifecycleSection.refusals)
AS_DOCUMENT: Final = gettext_lazy("As a document")


class VersioningPage(Editor, VersioningSection):
    """Turns versioning on, and suspends it; the same as a document."""

    template = VersioningSection.template
    kind = Kind("BucketVersioning", "VersioningConfiguration")
    heading = AS_DOCUMENT
    area_rows = 5


class LockPage(Editor, LockSection):
    """Turns Object Lock on, which is confirmed; what it then is, as a document too."""

    template = LockSection.template
    kind = Kind("ObjectLockConfiguration", "ObjectLockConfiguration")
    missing = "ObjectLockConfigurationNotFoundError"
    nothing: ClassVar[dict[str, Any]] = {}
    heading = AS_DOCUMENT
    area_rows = 10

    def put(self, request: HttpRequest, bucket: Bucket, members: Tree) -> HttpResponse:
        """Set a document where Object Lock is on: to turn it on is confirmed in its form."""
        if bucket.object_lock is None:
            return self.show(request, bucket)
        return super().put(request, bucket, members)


class LifecyclePage(Editor, LifecycleSection):
    """Lists the rules; all of them may be put as a document, which tells what it would do."""

    template = LifecycleSection.template
    kind = Kind("BucketLifecycleConfiguration", "LifecycleConfiguration")
    missing = "NoSuchLifecycleConfiguration"
    nothing: ClassVar[dict[str, Any]] = {"Rules": []}
    deletion = "DeleteBucketLifecycle"
    heading = gettext_lazy("All rules as a document")
    words = gettext_lazy(
        "As the AWS CLI takes them, or as S3 has them on the wire. What is saved takes the place "
        "of all rules above; see first what it would do."
    )
    after_template = "admin/buckets/lifecycle_try.html"
    area_rows = 14

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return super().actions() | {"try": self._try}

    def write(self, request: HttpRequest, bucket: Bucket, members: Tree) -> None:
        """Set the rules; what else the lifecycle says stays."""
        if self.is_nothing(members):
            super().write(request, bucket, members)
            return
        arguments = {self.kind.payload: members}
        try:
            said = ask_s3(request, f"Get{self.kind.setting}", bucket)
        except Refused as error:
            if error.code != self.missing:
                raise
        else:
            arguments[MINIMUM_SIZE] = said[MINIMUM_SIZE]
        ask_s3(request, f"Put{self.kind.setting}", bucket, arguments=arguments)

    def more(self, request: HttpRequest, bucket: Bucket, members: Tree) -> dict[str, Any]:
        """Ask for the day on which the rules are tried."""
        del request, bucket, members
        return {"moment": MomentForm()}

    def _try(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Tell what the rules of the document would do, all of them; nothing is done."""
        moment = MomentForm(request.POST)
        told: dict[str, Any] = {"moment": moment}
        after_key = unquote(request.POST["do"].partition(" ")[2])
        try:
            members = self.parse(request, bucket)
            rules = read_lifecycle(members).rules if members["Rules"] else ()
            if moment.is_valid():
                told |= look(request, bucket, rules, moment.cleaned_data["at"], after_key)
                told["next_after"] = quote(told["preview"].next_key)
        except TRYING as error:
            told["document_error"] = str(error)
        return self.show(request, bucket, **self.as_sent(request), **told)
