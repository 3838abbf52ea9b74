"""The section on who is let in: public access, ownership of objects, and the bucket's ACL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from buckets.configuration import Ownership
from buckets.console import Section, address
from iam.acl import ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY, Permission
from iam.models import User
from s3api.operations.grants import GRANTS_MAX
from s4project.bucket_pages.documents import Kind
from s4project.bucket_pages.editor import Editor
from s4project.bucket_pages.rows import RowsEditor, RowsForm

if TYPE_CHECKING:
    from django.http import HttpRequest, QueryDict

    from buckets.models import Bucket
    from s4project.bucket_pages.documents import Tree

TAB: Final = "permissions"


class BlockForm(forms.Form):
    """Which kinds of public access are blocked."""

    BlockPublicAcls = forms.BooleanField(
        label=gettext_lazy("Refuse new public ACLs"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=gettext_lazy("Of the bucket and of its objects (BlockPublicAcls)."),
    )
    IgnorePublicAcls = forms.BooleanField(
        label=gettext_lazy("Ignore public ACLs"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=gettext_lazy("Those that are set already, too (IgnorePublicAcls)."),
    )
    BlockPublicPolicy = forms.BooleanField(
        label=gettext_lazy("Refuse a public policy"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=gettext_lazy("One that lets everybody in is not saved (BlockPublicPolicy)."),
    )
    RestrictPublicBuckets = forms.BooleanField(
        label=gettext_lazy("Let a public policy hold for the owner alone"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=gettext_lazy("One that is set already, too (RestrictPublicBuckets)."),
    )

    @property
    def document(self) -> Tree:
        """Write all four."""
        return dict(self.cleaned_data)


class BlockEditor(Editor):
    """Edits the public access block."""

    slug = "public-access"
    tab = TAB
    kind = Kind("PublicAccessBlock", "PublicAccessBlockConfiguration")
    missing = "NoSuchPublicAccessBlockConfiguration"
    nothing: ClassVar[dict[str, Any]] = {}
    deletion = "DeletePublicAccessBlock"
    heading = gettext_lazy("Public access")
    words = gettext_lazy(
        "What is blocked here no policy and no ACL gives to everybody, by mistake or otherwise. "
        "All four are on unless somebody has a reason."
    )
    form_class = BlockForm
    area_rows = 8

    def fill(self, members: Tree, bucket: Bucket) -> BlockForm:
        """Tick what is blocked."""
        del bucket
        return BlockForm(initial=members)


OWNERSHIPS: Final = [
    (
        Ownership.BUCKET_OWNER_ENFORCED.value,
        gettext_lazy("The bucket's owner; ACLs are off (BucketOwnerEnforced)."),
    ),
    (
        Ownership.BUCKET_OWNER_PREFERRED.value,
        gettext_lazy(
            "The bucket's owner, of what is written with the ACL bucket-owner-full-control; else "
            "who writes it (BucketOwnerPreferred)."
        ),
    ),
    (Ownership.OBJECT_WRITER.value, gettext_lazy("Who writes it (ObjectWriter).")),
    ("", gettext_lazy("Nothing is said: who writes it, as with ObjectWriter.")),
]


class OwnershipForm(forms.Form):
    """Whose an object is that another user writes."""

    ownership = forms.ChoiceField(
        label=gettext_lazy("An object that another user writes belongs to"),
        choices=OWNERSHIPS,
        required=False,
        widget=UnfoldAdminRadioSelectWidget(),
    )

    @property
    def document(self) -> Tree:
        """Write the one rule, or none."""
        ownership = self.cleaned_data["ownership"]
        return {"Rules": [{"ObjectOwnership": ownership}] if ownership else []}


class OwnershipEditor(Editor):
    """Edits the ownership controls."""

    slug = "ownership"
    tab = TAB
    kind = Kind("BucketOwnershipControls", "OwnershipControls")
    missing = "OwnershipControlsNotFoundError"
    nothing: ClassVar[dict[str, Any]] = {"Rules": []}
    deletion = "DeleteBucketOwnershipControls"
    heading = gettext_lazy("Object ownership")
    form_class = OwnershipForm
    area_rows = 8

    def fill(self, members: Tree, bucket: Bucket) -> OwnershipForm:
        """Choose what is set."""
        del bucket
        rules = members["Rules"]
        return OwnershipForm(initial={"ownership": rules[0]["ObjectOwnership"] if rules else ""})


GROUPS: Final = [
    ("", gettext_lazy("a user")),
    (ALL_USERS, gettext_lazy("everybody")),
    (AUTHENTICATED_USERS, gettext_lazy("everybody who signs")),
    (LOG_DELIVERY, gettext_lazy("log delivery")),
]
PERMISSIONS: Final = [
    (Permission.FULL_CONTROL.value, gettext_lazy("everything (FULL_CONTROL)")),
    (Permission.READ.value, gettext_lazy("list the objects (READ)")),
    (Permission.WRITE.value, gettext_lazy("write and delete objects (WRITE)")),
    (Permission.READ_ACP.value, gettext_lazy("read the ACL (READ_ACP)")),
    (Permission.WRITE_ACP.value, gettext_lazy("set the ACL (WRITE_ACP)")),
]


class GrantForm(forms.Form):
    """One grant."""

    group = forms.ChoiceField(
        label=gettext_lazy("To"),
        choices=GROUPS,
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    user = forms.CharField(
        label=gettext_lazy("User"),
        required=False,
        max_length=128,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("The name of a user, or a canonical id."),
    )
    permission = forms.ChoiceField(
        label=gettext_lazy("May"), choices=PERMISSIONS, widget=UnfoldAdminSelectWidget()
    )

    def clean(self) -> dict[str, Any]:
        """Find the user, unless it is a group."""
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("group") and not cleaned.get("user"):
            self.add_error("user", _("Name the user."))
        return cleaned

    @property
    def grantee(self) -> dict[str, str]:
        """Write to whom it is granted, as S3 takes it; a name that is no user's S3 refuses."""
        group, name = self.cleaned_data["group"], self.cleaned_data["user"]
        if group:
            return {"Type": "Group", "URI": group}
        ids = User.objects.filter(username=name).values_list("canonical_id", flat=True)
        return {"Type": "CanonicalUser", "ID": ids.first() or name}


class AclForm(RowsForm):
    """All grants of a bucket's ACL."""

    row_class = GrantForm
    rows_max = GRANTS_MAX

    def __init__(self, owner: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner

    @property
    def document(self) -> Tree:
        """Write the grants as S3 takes them."""
        grants = [
            {"Grantee": row.grantee, "Permission": row.cleaned_data["permission"]}
            for row in self.rows
            if isinstance(row, GrantForm)
        ]
        return {"Owner": {"ID": self.owner}, "Grants": grants}


class AclEditor(RowsEditor, Editor):
    """Edits the ACL."""

    slug = "acl"
    tab = TAB
    kind = Kind("BucketAcl", "AccessControlPolicy")
    heading = gettext_lazy("Access control list (ACL)")
    words = gettext_lazy(
        "The older way to let others in, of use only where object ownership leaves ACLs on. A "
        "policy says the same better."
    )
    form_class = AclForm
    fields_template = "admin/buckets/row_fields.html"
    row_words = gettext_lazy("Grant")
    add_words = gettext_lazy("Add a grant")
    empty_words = gettext_lazy("Nothing is granted, to the owner neither.")

    def fill(self, members: Tree, bucket: Bucket) -> AclForm:
        """Make the rows of the grants."""
        grants = members.get("Grants", [])
        ids = [grant["Grantee"].get("ID") for grant in grants if "Grantee" in grant]
        names = dict(
            User.objects.filter(canonical_id__in=ids).values_list("canonical_id", "username")
        )
        rows = [
            {
                "group": grant.get("Grantee", {}).get("URI", ""),
                "user": names.get(
                    grant.get("Grantee", {}).get("ID"), grant.get("Grantee", {}).get("ID", "")
                ),
                "permission": grant.get("Permission"),
            }
            for grant in grants
        ]
        return AclForm(bucket.owner.canonical_id, initial=rows)

    def bound(self, data: QueryDict, bucket: Bucket) -> AclForm:
        """Read the rows."""
        return AclForm(bucket.owner.canonical_id, data)

    def is_nothing(self, members: Tree) -> bool:
        """Tell that there always is an ACL."""
        del members
        return False


class AccessSection(Section):
    """Shows all three, each with a form of its own."""

    slug = TAB
    template = "admin/buckets/access.html"
    editors: ClassVar[tuple[type[Editor], ...]] = (BlockEditor, OwnershipEditor, AclEditor)

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Draw the three."""
        ask = urlencode({"bucket": bucket.name})
        return {
            "panels": [editor(self.pages).panel(request, bucket) for editor in self.editors],
            "key_address": address(bucket, "key"),
            "policy_address": address(bucket, "policy"),
            "simulator_address": f"{reverse('access_simulator')}?{ask}",
        }
