"""The console's access simulator: a face of `buckets.explaining`, which decides as requests are.

A SuperUser asks about anybody; everybody else about himself. The question stands in the address,
so that it can be asked again and passed on; nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextInputWidget

from buckets.explaining import explain_access
from buckets.models import Bucket
from buckets.services import BucketError
from iam import services
from iam.actions import OF_BUCKET, OF_OBJECT, OF_SERVICE
from iam.console import signed_in
from iam.console_choices import OneRow, of_users
from iam.documents import load_policy
from iam.errors import IdentityError
from iam.models import AccessKey, User
from iam.policy_words import statement_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from iam.explanation import Explanation, Heard

ACTIONS: Final = sorted(OF_SERVICE | OF_BUCKET | OF_OBJECT)
BUCKETS_SHOWN_MAX: Final = 500
# What is refused is shown at the field that it is about; buckets and keys are one resource.
FIELDS: Final = {"action": "action", "resource": "bucket", "context": "context"}
OUTCOMES: Final = {"allowed": "success", "denied": "danger", "depends": "warning"}
OF_ANOTHER: Final = _(
    "The bucket is another's: why he lets you in, or does not, is told to him and to SuperUsers."
)


class Question(forms.Form):
    """Who would do what, where, and what his request would say of itself."""

    user = forms.ModelChoiceField(
        User.objects.all(),
        label=_("User"),
        required=False,
        help_text=_("Empty: whoever does not sign."),
    )
    access_key = forms.CharField(
        label=_("Access key"),
        required=False,
        max_length=128,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Signs the request, with its own policy if it has one. Empty: any of the user's "
            "that is not narrowed."
        ),
    )
    action = forms.CharField(
        label=_("Action"),
        max_length=128,
        widget=UnfoldAdminTextInputWidget({"list": "actions", "placeholder": "s3:GetObject"}),
    )
    bucket = forms.CharField(
        label=_("Bucket"),
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget({"list": "buckets"}),
        help_text=_("Empty for what concerns no bucket, such as s3:ListAllMyBuckets."),
    )
    key = forms.CharField(
        label=_("Key"),
        required=False,
        max_length=1024,
        strip=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Of an object, there or not; for actions to a bucket leave it empty."),
    )
    context = forms.CharField(
        label=_("Context"),
        required=False,
        max_length=8192,
        widget=forms.Textarea(
            {
                "class": " ".join([*INPUT_CLASSES, "policy-text"]),
                "rows": 4,
                "spellcheck": "false",
                "placeholder": "aws:SourceIp = 10.0.0.7\naws:SecureTransport = true",
            }
        ),
        help_text=_(
            "What the request says of itself: a condition key and its value on each line. "
            "The time is now unless you say aws:CurrentTime."
        ),
    )

    def __init__(self, asker: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asker = asker
        if asker.is_superuser:
            users = self.fields["user"]
            assert isinstance(users, forms.ModelChoiceField), "as it stands above"
            users.widget = of_users(OneRow, users.choices)
        else:
            del self.fields["user"]
            self.fields["access_key"].help_text = gettext(
                "One of yours. Empty: any that is not narrowed."
            )

    def clean_access_key(self) -> str:
        """Let nobody but SuperUsers ask about others' keys, nor learn which there are."""
        access_key: str = self.cleaned_data["access_key"].strip()
        is_own = AccessKey.objects.filter(access_key=access_key, user=self.asker).exists()
        if access_key and not (is_own or self.asker.is_superuser):
            raise forms.ValidationError(
                gettext("You have no access key %(key)s.") % {"key": access_key}
            )
        return access_key

    def clean_context(self) -> dict[str, list[str]]:
        """Read a key and a value from each line; a key may have several values."""
        found: dict[str, list[str]] = {}
        for number, line in enumerate(self.cleaned_data["context"].splitlines(), 1):
            name, sign, value = line.partition("=")
            if not line.strip():
                continue
            if not (sign and name.strip()):
                raise forms.ValidationError(
                    gettext("Line %(number)s: write KEY = VALUE.") % {"number": number}
                )
            found.setdefault(name.strip(), []).append(value.strip())
        return found

    @property
    def username(self) -> str | None:
        """Name who would ask; None: whoever does not sign, or the user of the key."""
        if not self.asker.is_superuser:
            return self.asker.username
        user: User | None = self.cleaned_data["user"]
        return user.username if user is not None else None

    @property
    def resource(self) -> str:
        """Name what it would be done to."""
        bucket, key = self.cleaned_data["bucket"].strip(), self.cleaned_data["key"]
        return f"{bucket}/{key}" if key else bucket or "*"


class Told(NamedTuple):
    """An explanation as the page shows it."""

    explanation: Explanation
    label: str
    statement: str  # the deciding one, in JSON; "" where none decided or it is not to be seen
    heard: tuple[Heard, ...]
    why: str
    advice: str


def page(request: HttpRequest) -> HttpResponse:
    """Ask for a question, and answer the one that the address holds."""
    asker = signed_in(request)
    if asker is None:
        raise PermissionDenied
    asked = request.GET if "action" in request.GET else None
    form = Question(asker, asked, initial=request.GET.dict())
    told = _answer(form) if form.is_bound and form.is_valid() else None
    owned = Bucket.objects.all() if asker.is_superuser else asker.buckets.all()
    context = {
        **admin.site.each_context(request),
        "title": gettext("Access simulator"),
        "form": form,
        "told": told,
        "actions": ACTIONS,
        "buckets": owned.order_by("name").values_list("name", flat=True)[:BUCKETS_SHOWN_MAX],
    }
    return TemplateResponse(request, "admin/iam/simulator.html", context)


def _answer(form: Question) -> Told | None:
    """Explain what was asked; what cannot be is an error of the form."""
    try:
        explanation = explain_access(
            form.cleaned_data["action"],
            form.resource,
            username=form.username,
            access_key=form.cleaned_data["access_key"] or None,
            context=form.cleaned_data["context"],
        )
    except (IdentityError, BucketError) as error:
        field = FIELDS.get(getattr(error, "field", ""), "")
        field = field or ("bucket" if isinstance(error, BucketError) else "access_key")
        form.add_error(field, getattr(error, "reason", "") or str(error))
        return None
    label = OUTCOMES[explanation.outcome]
    if _may_know(form):
        statement = _deciding_statement(form, explanation)
        why, advice = explanation.why, explanation.advice
        return Told(explanation, label, statement, explanation.heard, why, advice)
    return Told(explanation, label, "", (), str(OF_ANOTHER), "")


def _may_know(form: Question) -> bool:
    """Whether all that was heard may be told: of another's bucket it says what is in there."""
    bucket = form.cleaned_data["bucket"].strip()
    own = form.asker.buckets.filter(name=bucket)
    return form.asker.is_superuser or not bucket or own.exists()


def _deciding_statement(form: Question, explanation: Explanation) -> str:
    """Find the statement that decided, as it was written."""
    for source, text in _documents(form):
        if source == explanation.source and text:
            return statement_text(text, explanation.statement)
    return ""


def _documents(form: Question) -> Iterator[tuple[str, str]]:
    """List all policies that were heard: where each comes from, and its text."""
    key = AccessKey.objects.filter(access_key=form.cleaned_data["access_key"]).first()
    user = key.user if key is not None else User.objects.filter(username=form.username).first()
    if user is not None:
        for each in services.load_rights(user):
            yield each.source, each.policy.text
    bucket = Bucket.objects.filter(name=form.cleaned_data["bucket"].strip()).first()
    if bucket is not None:
        yield f'the policy of the bucket "{bucket.name}"', bucket.policy or ""
    if key is not None:
        yield "the policy of the access key", load_policy(key.policy).text if key.policy else ""
