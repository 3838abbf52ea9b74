"""The section on a bucket's own tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from s3api.operations.tags import BUCKET_TAGS
from s4project.bucket_pages.documents import Kind
from s4project.bucket_pages.editor import Editor
from s4project.bucket_pages.rows import RowsEditor, RowsForm

if TYPE_CHECKING:
    from buckets.models import Bucket
    from s4project.bucket_pages.documents import Tree

PLAIN: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
CHARACTERS_MAX: Final = 1024  # more than S3 lets be, so that S3 says what is wrong


class TagForm(forms.Form):
    """One tag."""

    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=CHARACTERS_MAX,
        strip=False,
        widget=UnfoldAdminTextInputWidget(PLAIN),
    )
    value = forms.CharField(
        label=gettext_lazy("Value"),
        required=False,
        max_length=CHARACTERS_MAX,
        strip=False,
        widget=UnfoldAdminTextInputWidget(PLAIN),
    )


class TagsForm(RowsForm):
    """All tags of a bucket."""

    row_class = TagForm
    rows_max = BUCKET_TAGS.count_max

    @property
    def document(self) -> Tree:
        """Write the tags as S3 takes them."""
        return {"TagSet": [{"Key": row["key"], "Value": row["value"]} for row in self.cleaned]}


class TagsSection(RowsEditor, Editor):
    """Edits the tags."""

    slug = "tags"
    kind = Kind("BucketTagging", "Tagging")
    missing = "NoSuchTagSet"
    nothing: ClassVar[dict[str, Any]] = {"TagSet": []}
    deletion = "DeleteBucketTagging"
    heading = gettext_lazy("Tags")
    words = gettext_lazy(
        "Labels of the bucket itself, for people and tools. They give no rights, and are not "
        "those of its objects."
    )
    form_class = TagsForm
    fields_template = "admin/buckets/row_fields.html"
    row_words = gettext_lazy("Tag")
    add_words = gettext_lazy("Add a tag")
    empty_words = gettext_lazy("No tags.")

    def fill(self, members: Tree, bucket: Bucket) -> TagsForm:
        """Make the rows of the tags."""
        del bucket
        tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in members.get("TagSet", ())]
        return TagsForm(initial=tags)
