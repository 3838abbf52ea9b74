"""Forms of the console's identity pages. They validate; the services write."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.auth.forms import SetPasswordMixin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.forms import AdminPasswordChangeForm as UnfoldPasswordForm
from unfold.forms import AuthenticationForm as UnfoldSignInForm
from unfold.widgets import UnfoldAdminPasswordWidget

from iam import services
from iam.console_choices import SeveralRows, of_users
from iam.errors import NameTaken, TooManySignIns, WrongPassword
from iam.forms_policies import DocumentField, narrowing_field
from iam.forms_quotas import QuotaFields, fields_of
from iam.models import AccessKey, Group, InlinePolicy, Policy, User
from iam.quotas import read_quota

if TYPE_CHECKING:  # generic in the stubs only
    from django.contrib.auth.forms import AdminPasswordChangeForm

    from iam.models import Role

    BaseModelForm = forms.ModelForm[User]
    BaseKeyForm = forms.ModelForm[AccessKey]
    BaseGroupForm = forms.ModelForm[Group]
    BasePolicyForm = forms.ModelForm[Policy]
    BaseInlinePolicyForm = forms.ModelForm[InlinePolicy]
    BaseNewPassword = SetPasswordMixin[User]
    BasePasswordForm = AdminPasswordChangeForm[User]
else:
    BaseModelForm = BaseKeyForm = BaseGroupForm = forms.ModelForm
    BasePolicyForm = BaseInlinePolicyForm = forms.ModelForm
    BaseNewPassword = SetPasswordMixin
    BasePasswordForm = UnfoldPasswordForm


class SignInForm(UnfoldSignInForm):  # type: ignore[misc]  # the theme is untyped
    """Name and password; says only that they are wrong, or how long to wait."""

    wait_seconds = 0
    error_messages: ClassVar = {
        **UnfoldSignInForm.error_messages,
        "invalid_login": str(WrongPassword()),
    }

    def clean(self) -> dict[str, Any]:
        """Find out who it is."""
        try:
            return super().clean()  # type: ignore[no-any-return]  # as above
        except TooManySignIns as error:
            self.wait_seconds = error.wait_seconds
            raise forms.ValidationError(str(error), code="throttled") from error


class NewUserForm(BaseNewPassword, BaseModelForm):
    """A new user, with a password typed twice or none."""

    password1, password2 = SetPasswordMixin.create_password_fields()

    class Meta:
        model = User
        fields: ClassVar = ["username", "display_name", "email", "role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("password1", "password2"):
            self.fields[name].required = False
            self.fields[name].widget = UnfoldAdminPasswordWidget({"autocomplete": "new-password"})
        self.fields["password2"].help_text = gettext(
            "Leave both empty for a user who has only access keys and does not sign in here."
        )

    def clean(self) -> dict[str, Any] | None:
        """Compare the passwords and judge their strength."""
        cleaned = super().clean()
        first, second = self.cleaned_data.get("password1"), self.cleaned_data.get("password2")
        if first != second:
            self.add_error("password2", self.error_messages["password_mismatch"])
        elif first:
            self.validate_password_for_user(self.instance)
        return cleaned


class UserForm(QuotaFields, BaseModelForm):
    """An existing user, and what all his buckets may hold together."""

    class Meta:
        model = User
        fields: ClassVar = ["display_name", "email", "role", "groups", "policies", "is_active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update(fields_of(read_quota(self.instance.quota)))


class KeyForm(BaseKeyForm):
    """An access key."""

    policy = narrowing_field()

    class Meta:
        model = AccessKey
        fields: ClassVar = [
            *("user", "name", "is_enabled", "expires_at", "policy", "requests_per_second"),
        ]


class GroupForm(BaseGroupForm):
    """A group; who joins and who leaves is named, for a group may have any number of members."""

    joining = forms.ModelMultipleChoiceField(
        User.objects.all(), required=False, label=_("Add members"), widget=of_users(SeveralRows)
    )
    leaving = forms.ModelMultipleChoiceField(
        User.objects.all(), required=False, label=_("Remove members"), widget=of_users(SeveralRows)
    )

    class Meta:
        model = Group
        fields: ClassVar = ["name", "description", "policies"]


class PolicyForm(BasePolicyForm):
    """A managed policy."""

    document = DocumentField(label=_("Document"))

    class Meta:
        model = Policy
        fields: ClassVar = ["name", "description", "document"]


class InlinePolicyForm(BaseInlinePolicyForm):
    """A policy of `holder`."""

    document = DocumentField(label=_("Document"))
    holder: ClassVar[User | Group | Role]

    class Meta:
        model = InlinePolicy
        fields: ClassVar = ["name", "document"]

    def clean_name(self) -> str:
        """Refuse a name that another has: the service would put the new one in its place."""
        name: str = self.cleaned_data["name"]
        if self.holder.inline_policies.filter(name=name).exists():
            raise forms.ValidationError(str(NameTaken("inline policy", name)))
        return name


class PasswordForm(BasePasswordForm):
    """Another password for a user, set by an administrator."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        # Django offers to take the password away here; disabling the user is the way to do that.
        self.fields.pop("usable_password", None)
        for name in ("password1", "password2"):
            self.fields[name].required = True

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # Django's signature
        """Write through the service."""
        assert commit, "a password is not kept for later"
        services.set_password(self.user.pk, self.cleaned_data["password1"])
        self.user.refresh_from_db()
        user: User = self.user
        return user


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]  # the theme is untyped
    """Another password of one's own, for who knows the old one; wrong ones are counted."""

    def __init__(self, user: User, *args: Any, address: str = "", **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.address = address
        self.wait_seconds = 0

    def clean_old_password(self) -> str:
        """Look at the old password last, when all else is right."""
        return str(self.cleaned_data["old_password"])

    def clean(self) -> dict[str, Any]:
        """Judge the new password, then the old one as at the door."""
        cleaned: dict[str, Any] = super().clean()
        if self.errors:
            return cleaned
        try:
            services.sign_in(self.user.username, cleaned["old_password"], self.address)
        except WrongPassword:
            self.add_error("old_password", gettext("This is not your password."))
        except TooManySignIns as error:
            self.wait_seconds = error.wait_seconds
            self.add_error("old_password", str(error))
        return cleaned

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # Django's signature
        """Write through the service."""
        assert commit, "a password is not kept for later"
        user: User = self.user
        services.set_password(user.pk, self.cleaned_data["new_password1"])
        user.refresh_from_db()
        return user
