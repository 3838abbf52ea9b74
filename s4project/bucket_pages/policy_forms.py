"""Forms of the section on a bucket's policy: a statement to add, and a question to try."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from iam.models import User

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
# What may be done, in words: the actions on the bucket, and those on its objects.
RIGHTS: Final[dict[str, tuple[Any, list[str], list[str]]]] = {
    "list": (
        gettext_lazy("see which objects there are"),
        ["s3:ListBucket", "s3:GetBucketLocation"],
        [],
    ),
    "read": (gettext_lazy("read objects"), [], ["s3:GetObject", "s3:GetObjectVersion"]),
    "write": (
        gettext_lazy("write objects"),
        [],
        ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
    ),
    "delete": (gettext_lazy("delete objects"), [], ["s3:DeleteObject", "s3:DeleteObjectVersion"]),
}
EVERYTHING: Final = "everything"


def check_prefix(prefix: str) -> None:
    """Refuse what would mean something else in a policy than it says."""
    if any(sign in prefix for sign in "*?$"):
        raise forms.ValidationError(_("Here *, ? and $ have a meaning of their own."))


EFFECTS: Final = [("Allow", gettext_lazy("Allow")), ("Deny", gettext_lazy("Deny"))]


class WishForm(forms.Form):
    """Statements in words: who may, or may not, do what, where, and how."""

    effect = forms.ChoiceField(
        label=gettext_lazy("Allow or deny"),
        choices=EFFECTS,
        initial="Allow",
        widget=UnfoldAdminSelectWidget({"class": "narrow-field"}),
    )
    who = forms.CharField(
        label=gettext_lazy("Who"),
        required=False,
        max_length=2048,
        widget=UnfoldAdminTextInputWidget({"placeholder": gettext_lazy("everybody"), **PLAIN}),
        help_text=gettext_lazy("Names of users, with commas between. Empty: everybody."),
    )
    rights = forms.MultipleChoiceField(
        label=gettext_lazy("May, or may not"),
        choices=[
            *((name, words) for name, (words, _bucket, _objects) in RIGHTS.items()),
            (EVERYTHING, gettext_lazy("do everything to bucket and objects")),
        ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    below = forms.CharField(
        label=gettext_lazy("Only below the prefix"),
        required=False,
        max_length=1024,
        strip=False,
        validators=[check_prefix],
        widget=UnfoldAdminTextInputWidget({"placeholder": "reports/", **PLAIN}),
    )
    networks = forms.CharField(
        label=gettext_lazy("Only requests from the networks"),
        required=False,
        max_length=2048,
        widget=UnfoldAdminTextInputWidget({"placeholder": "10.0.0.0/8, 192.0.2.7", **PLAIN}),
    )
    tls = forms.ChoiceField(
        label=gettext_lazy("Only requests"),
        choices=[
            ("", gettext_lazy("of any kind")),
            ("true", gettext_lazy("over TLS")),
            ("false", gettext_lazy("without TLS")),
        ],
        required=False,
        widget=UnfoldAdminSelectWidget({"class": "narrow-field"}),
    )

    def clean_who(self) -> list[str]:
        """Find the users."""
        names = _split(self.cleaned_data["who"])
        found = dict(User.objects.filter(username__in=names).values_list("username", "account_id"))
        for name in names:
            if name not in found:
                raise forms.ValidationError(_("There is no user %(name)s.") % {"name": name})
        return [f"arn:aws:iam::{found[name]}:user/{name}" for name in names]

    def clean_networks(self) -> list[str]:
        """Read addresses and networks."""
        found = _split(self.cleaned_data["networks"])
        for each in found:
            try:
                ipaddress.ip_network(each)
            except ValueError as error:
                words = _("%(network)s is no address and no network.") % {"network": each}
                raise forms.ValidationError(words) from error
        return found

    def statements(self, bucket: str, others: Sequence[Any]) -> list[dict[str, Any]]:
        """Write what is asked for: what is about the bucket, and what is about its objects.

        Below a prefix they are two statements: what is listed has a condition of its own.
        """
        rights, prefix = self.cleaned_data["rights"], self.cleaned_data["below"]
        arn = f"arn:aws:s3:::{bucket}"
        if EVERYTHING in rights:
            objects = ["s3:*"]
            wanted = ["s3:ListBucket"] if prefix else ["s3:*"]
        else:
            chosen = [RIGHTS[name] for name in rights]
            wanted = [action for _words, actions, _objects in chosen for action in actions]
            objects = [action for _words, _bucket, actions in chosen for action in actions]
        made: list[dict[str, Any]] = []
        if wanted and not prefix:
            whole = [arn, f"{arn}/*"] if objects else [arn]
            made.append({"Action": list(dict.fromkeys([*wanted, *objects])), "Resource": whole})
            objects = []
        elif wanted:
            of_prefix = {"StringLike": {"s3:prefix": f"{prefix}*"}}
            listing = {"Action": ["s3:ListBucket"], "Resource": [arn], "Condition": of_prefix}
            made.append(listing)
        if objects:
            made.append({"Action": objects, "Resource": [f"{arn}/{prefix}*"]})
        return [
            self._complete(fields, [*others, *made[:number]]) for number, fields in enumerate(made)
        ]

    def _complete(self, fields: dict[str, Any], others: Sequence[Any]) -> dict[str, Any]:
        """Say of a statement whom it is about, and which of his requests."""
        cleaned = self.cleaned_data
        fields["Sid"] = _new_sid(others)
        conditions = dict(fields.get("Condition", {}))
        if cleaned["networks"]:
            conditions["IpAddress"] = {"aws:SourceIp": cleaned["networks"]}
        if cleaned["tls"]:
            conditions["Bool"] = {"aws:SecureTransport": cleaned["tls"]}
        return {
            "Sid": fields["Sid"],
            "Effect": cleaned["effect"],
            "Principal": {"AWS": cleaned["who"]} if cleaned["who"] else "*",
            "Action": fields["Action"],
            "Resource": fields["Resource"],
            **({"Condition": conditions} if conditions else {}),
        }


def _new_sid(others: Sequence[Any]) -> str:
    """Name a statement as no other is named."""
    taken = {each.get("Sid") for each in others if isinstance(each, dict)}
    names = (f"Statement{number}" for number in range(1, len(others) + 2))
    return next(name for name in names if name not in taken)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


ME, NOBODY = "me", ""


class TrialForm(forms.Form):
    """Who would do what, were the text on the page the policy."""

    user = forms.CharField(
        label=gettext_lazy("Who"),
        required=False,
        max_length=150,
        widget=UnfoldAdminTextInputWidget(PLAIN),
        help_text=gettext_lazy("The name of a user. Empty: whoever does not sign."),
    )
    action = forms.CharField(
        label=gettext_lazy("Action"),
        max_length=128,
        widget=UnfoldAdminTextInputWidget({"placeholder": "s3:GetObject", **PLAIN}),
    )
    key = forms.CharField(
        label=gettext_lazy("Object"),
        required=False,
        max_length=1024,
        strip=False,
        widget=UnfoldAdminTextInputWidget(PLAIN),
        help_text=gettext_lazy("Its key; empty for actions to the bucket."),
    )
    address = forms.GenericIPAddressField(
        label=gettext_lazy("From the address"),
        required=False,
        widget=UnfoldAdminTextInputWidget(PLAIN),
    )

    prefix = "try"

    def __init__(self, asker: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asker = asker
        if not asker.is_superuser:  # what others may is told to SuperUsers
            self.fields["user"] = forms.ChoiceField(
                label=self.fields["user"].label,
                choices=[(NOBODY, _("whoever does not sign")), (ME, _("you"))],
                required=False,
                widget=UnfoldAdminSelectWidget(),
            )

    @property
    def username(self) -> str | None:
        """Name who would ask; None: whoever does not sign."""
        name: str = self.cleaned_data["user"]
        if not self.asker.is_superuser:
            return self.asker.username if name == ME else None
        return name or None

    @property
    def context(self) -> dict[str, str]:
        """Say what the request would say of itself."""
        address = self.cleaned_data["address"]
        return {"aws:SourceIp": address} if address else {}

    def resource(self, bucket: str) -> str:
        """Name what it would be done to."""
        key = self.cleaned_data["key"]
        return f"{bucket}/{key}" if key else bucket
