"""A setting of a bucket as a form for people and, beside it, as the document that S3 knows.

The two are kept in step: what is typed into one is read by the server, by S3's own rules, and
written into the other. Whichever is saved, S3's operation sets it. Nobody's change is overwritten
unseen: a form knows what was set when it was opened.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.http import HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import TEXTAREA_CLASSES

from buckets.console import Section, address
from buckets.services import NoSuchBucket
from iam.console import signed_in
from s3api.errors import S3Error
from s3api.http.target import Target
from s3api.operations.translate import s3_error
from s4project.bucket_pages.documents import DocumentRefused, Kind
from s4project.errands import Asked
from storage_engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse, QueryDict

    from buckets.models import Bucket
    from s4project.bucket_pages.documents import Tree

FORMATS: Final = ("json", "xml")
CHANGED_MEANWHILE: Final = gettext_lazy(
    "Somebody else has changed this since you opened the page. What you see below is yours: "
    "save it again to put it in the place of theirs, or open the page anew to see theirs."
)
NOWHERE: Final = Target(bucket=None, key=None, is_virtual_host=False, resource="/")


class Refused(Exception):  # noqa: N818  # it is a refusal
    """S3 does not do it; the text says why, to a person."""

    def __init__(self, error: S3Error) -> None:
        details = ", ".join(f"{name}: {value}" for name, value in error.detail.items())
        super().__init__(f"{error.message or error.code}{f' ({details})' if details else ''}")
        self.code = error.code


def ask_s3(request: HttpRequest, operation: str, bucket: Bucket, **more: Any) -> Tree:
    """Do an operation of S3 for who is signed in; Refused, NoSuchBucket."""
    user = signed_in(request)
    assert user is not None, "the section is shown to who is signed in"
    try:
        return Asked(request, user).perform(operation, bucket.name, **more)
    except EngineError as error:
        raise Refused(s3_error(error, NOWHERE)) from error
    except S3Error as error:
        if error.code == "NoSuchBucket":
            raise NoSuchBucket(bucket.name) from error
        raise Refused(error) from error


class Editor(Section):
    """A section that edits one setting; a subclass says which, and how its form is made."""

    do_not_call_in_templates = True  # a section is a view, too
    template = "admin/buckets/editor.html"
    fields_template: ClassVar[str] = "admin/buckets/fields.html"  # the form's own half
    after_template: ClassVar[str] = ""  # what else there is, below both halves
    kind: ClassVar[Kind]
    missing: ClassVar[str] = ""  # S3's code for that nothing is set
    nothing: ClassVar[dict[str, Any]] = {}  # what the document then is
    deletion: ClassVar[str] = ""  # the operation that takes the setting off
    heading: ClassVar[Any]  # words, translated late
    words: ClassVar[Any] = ""
    form_class: ClassVar[type[Any] | None] = None
    formats: ClassVar[tuple[str, ...]] = FORMATS
    is_drafted: ClassVar[bool] = True  # what is typed into the form goes into the document at once
    area_classes: ClassVar[str] = " ".join([*TEXTAREA_CLASSES, "policy-text"])
    area_rows: ClassVar[int] = 18

    # --- what a subclass says ---------------------------------------------------------------

    def fill(self, members: Tree, bucket: Bucket) -> Any:
        """Make the form of a document."""
        del members, bucket
        return None

    def bound(self, data: QueryDict, bucket: Bucket) -> Any:
        """Make the form of what was sent."""
        del bucket
        assert self.form_class is not None, "a section without a form is not asked for one"
        return self.form_class(data)

    def document(self, form: Any, bucket: Bucket) -> Tree:
        """Make the document of a form that was found right."""
        del bucket
        members: Tree = form.document
        return members

    def is_nothing(self, members: Tree) -> bool:
        """Whether a document sets nothing, so that the setting is taken off instead."""
        return bool(self.deletion) and members == self.nothing

    def more(self, request: HttpRequest, bucket: Bucket, members: Tree) -> dict[str, Any]:
        """Collect what else the section shows of a document, set or not."""
        del request, bucket, members
        return {}

    # --- reading and writing ----------------------------------------------------------------

    def read(self, request: HttpRequest, bucket: Bucket) -> Tree:
        """Ask S3 for what is set; Refused, NoSuchBucket."""
        try:
            output = ask_s3(request, f"Get{self.kind.setting}", bucket)
        except Refused as error:
            if error.code != self.missing:
                raise
            return dict(self.nothing)
        return self.kind.members(output)

    def write(self, request: HttpRequest, bucket: Bucket, members: Tree) -> None:
        """Let S3 set a document, or take the setting off; Refused, NoSuchBucket."""
        if self.is_nothing(members):
            ask_s3(request, self.deletion, bucket)
        else:
            arguments = {self.kind.payload: members}
            ask_s3(request, f"Put{self.kind.setting}", bucket, arguments=arguments)

    def text(self, members: Tree, form: str = FORMATS[0]) -> str:
        """Write a document in one of its forms; where nothing is set, nothing."""
        if members == self.nothing:
            return ""
        return self.kind.xml(members) if form == "xml" else self.kind.json(members)

    def parse(self, request: HttpRequest, bucket: Bucket) -> Tree:
        """Read the document that was sent; DocumentRefused. Nothing at all sets nothing."""
        del bucket
        text = request.POST.get("document", "").replace("\r\n", "\n")
        if not text.strip() and self.deletion:
            return dict(self.nothing)
        return self.kind.read(text)

    # --- the page ---------------------------------------------------------------------------

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        own: dict[str, Callable[[HttpRequest, Bucket], HttpResponse]] = {
            "save_document": self._save_document,
            "draft_document": self._draft_document,
            "format": self._format,
        }
        if self.form_class is not None:
            own |= {"save": self._save, "draft": self._draft}
        return super().actions() | own

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show what is set, in both halves; or why it is not to be seen."""
        shown = super().context(request, bucket) | self._own(bucket)
        try:
            members = self.read(request, bucket)
        except Refused as error:
            return shown | {"unreadable": str(error)}
        if self.form_class is not None:
            shown["form"] = self.fill(members, bucket)
        return shown | {
            "document": self.text(members),
            "document_format": FORMATS[0],
            "seen": digest(members),
            **self.more(request, bucket, members),
        }

    def _own(self, bucket: Bucket) -> dict[str, Any]:
        return {
            "editor": self,
            "has_form": bool(self.form_class),
            "has_formats": len(self.formats) > 1,
            "editor_address": address(bucket, self.slug),
        }

    def _save(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Set what the form says; else show it again, as it was filled in, with the reason."""
        form = self.bound(request.POST, bucket)
        shown = self.as_sent(request, form=form)
        if form.is_valid():
            members = self.document(form, bucket)
            try:
                return self.put(request, bucket, members)
            except Refused as error:
                form.add_error(None, str(error))
                shown |= self._after(request, bucket, members)
        return self.show(request, bucket, **shown)

    def _save_document(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Set what the document says; else show it again, as it was typed, with the reason."""
        shown = self.as_sent(request)
        try:
            members = self.parse(request, bucket)
            return self.put(request, bucket, members)
        except (Refused, DocumentRefused) as error:
            shown["document_error"] = str(error)
            if isinstance(error, Refused):
                shown |= self._after(request, bucket, members)
        return self.show(request, bucket, **shown)

    def put(self, request: HttpRequest, bucket: Bucket, members: Tree) -> HttpResponse:
        """Set a document, unless somebody else was faster; Refused."""
        if digest(self.read(request, bucket)) != request.POST.get("seen"):
            raise Refused(S3Error("OperationAborted", str(CHANGED_MEANWHILE)))
        self.write(request, bucket, members)
        self.note(request, bucket, _("%(setting)s: saved.") % {"setting": self.heading})
        return HttpResponseRedirect(address(bucket, self.tab or self.slug))

    def _after(self, request: HttpRequest, bucket: Bucket, members: Tree) -> dict[str, Any]:
        """Show a document that was not set; who saves it again knows of what is set now."""
        try:
            seen = digest(self.read(request, bucket))
        except Refused:  # the page says why, in the place of both halves
            return {}
        return {"seen": seen, **self.more(request, bucket, members)}

    def as_sent(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        """Show the document as it was sent."""
        return {
            "document": request.POST.get("document", ""),
            "document_format": request.POST.get("document_format", FORMATS[0]),
            "seen": request.POST.get("seen", ""),
            **more,
        }

    # --- in step ----------------------------------------------------------------------------

    def _draft(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Write into the document what stands in the form."""
        form = self.bound(request.POST, bucket)
        if not form.is_valid():
            said = _("The form is not complete yet: the document is as it was before.")
            return self.parts(request, bucket, form_said=said)
        members = self.document(form, bucket)
        return self.parts(request, bucket, **self._document_part(request, bucket, members))

    def _draft_document(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Write into the form what stands in the document."""
        try:
            members = self.parse(request, bucket)
        except DocumentRefused as error:
            return self.parts(request, bucket, document_error=str(error))
        parts: dict[str, Any] = {"members": members}
        if self.form_class is not None:
            parts |= {"with_form": True, "form": self.fill(members, bucket)}
        return self.parts(request, bucket, **parts, **self.more(request, bucket, members))

    def _format(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Write the document in the other form."""
        try:
            members = self.parse(request, bucket)
        except DocumentRefused as error:
            return self.parts(request, bucket, document_error=str(error))
        return self.parts(request, bucket, **self._document_part(request, bucket, members))

    def redraw(self, request: HttpRequest, bucket: Bucket, form: Any) -> HttpResponse:
        """Draw the form anew after rows were added to it or taken out, and the document with it."""
        parts: dict[str, Any] = {"with_form": True, "form": form}
        if form.is_valid():
            members = self.document(form, bucket)
            parts |= self._document_part(request, bucket, members)
        return self.parts(request, bucket, **parts)

    def _document_part(self, request: HttpRequest, bucket: Bucket, members: Tree) -> dict[str, Any]:
        wanted = request.POST.get("document_format", "")
        wanted = wanted if wanted in self.formats else self.formats[0]
        return {
            "with_document": True,
            "document": self.text(members, wanted),
            "document_format": wanted,
            "members": members,
            **self.more(request, bucket, members),
        }

    def parts(self, request: HttpRequest, bucket: Bucket, **parts: Any) -> HttpResponse:
        """Answer the parts of the page that change; the one that is typed into is none of them."""
        context = {
            **self._own(bucket),
            "original": bucket,
            "may_set": True,
            "is_part": True,
            "with_after": bool(self.after_template) and "members" in parts,
            **parts,
        }
        return TemplateResponse(request, "admin/buckets/editor_parts.html", context)

    def fragment(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        """Answer a part of the page that was asked for alone."""
        return TemplateResponse(request, template, {"editor": self, **context})

    def panel(self, request: HttpRequest, bucket: Bucket) -> str:
        """Draw the editor for a page that shows several."""
        context = {
            "original": bucket,
            "may_set": self.may_set(request, bucket),
            **self.context(request, bucket),
        }
        return render_to_string("admin/buckets/editor_panel.html", context, request)


def digest(members: Tree) -> str:
    """Tell a document from what it was."""
    return sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()
