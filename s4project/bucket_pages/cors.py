"""The section on cross-origin access: the rules, and a tester that answers as S3 would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import msgspec
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from buckets.configuration import CorsRule
from s3api.http.cors import ANY, METHODS, cors_headers
from s3api.http.request import Request
from s3api.operations.cors import ID_CHARACTERS_MAX, RULES_MAX
from s4project.bucket_pages.documents import DocumentRefused, Kind
from s4project.bucket_pages.editor import Editor
from s4project.bucket_pages.rows import RowsEditor, RowsForm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket
    from s4project.bucket_pages.documents import Tree

INT_MAX: Final = 2**31 - 1
PLAIN: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
NAMES: Final = {
    "id": "ID",
    "origins": "AllowedOrigins",
    "methods": "AllowedMethods",
    "headers": "AllowedHeaders",
    "exposed": "ExposeHeaders",
    "age": "MaxAgeSeconds",
}


class Lines(forms.CharField):
    """Texts, one in each line."""

    def __init__(self, rows: int = 2, **options: Any) -> None:
        options.setdefault("widget", UnfoldAdminTextareaWidget({"rows": rows, **PLAIN}))
        super().__init__(max_length=64 * 1024, **options)

    def prepare_value(self, value: Any) -> Any:
        """Write the texts."""
        return value if value is None or isinstance(value, str) else "\n".join(value)

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # a list of texts
        """Read the texts; blank lines are none."""
        lines = (super().to_python(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def run_validators(self, value: Any) -> None:
        """Hold each text to nothing but S3's own rules."""


class CorsRuleForm(forms.Form):
    """One rule."""

    origins = Lines(
        label=gettext_lazy("Origins that are let in"),
        help_text=gettext_lazy(
            "One in each line, such as https://example.com or https://*.example.com; * lets "
            "pages of any origin in."
        ),
    )
    methods = forms.MultipleChoiceField(
        label=gettext_lazy("Methods"),
        choices=[(method, method) for method in METHODS],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    headers = Lines(
        label=gettext_lazy("Headers that a page may send"),
        required=False,
        help_text=gettext_lazy("One in each line; * lets it send any."),
    )
    exposed = Lines(
        label=gettext_lazy("Headers of the answer that a page may read"),
        required=False,
        help_text=gettext_lazy("One in each line, such as ETag or x-amz-meta-*'s full names."),
    )
    age = forms.IntegerField(
        label=gettext_lazy("Seconds for which a browser remembers the answer"),
        required=False,
        min_value=0,
        max_value=INT_MAX,
        widget=UnfoldAdminIntegerFieldWidget({"min": "0", "class": "narrow-field"}),
    )
    id = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=ID_CHARACTERS_MAX,
        widget=UnfoldAdminTextInputWidget(PLAIN),
    )


class CorsForm(RowsForm):
    """All rules of a bucket."""

    row_class = CorsRuleForm
    rows_max = RULES_MAX

    @property
    def document(self) -> Tree:
        """Write the rules as S3 takes them; what is left empty is not said."""
        rules = []
        for row in self.cleaned:
            rule = {
                NAMES[name]: value for name, value in row.items() if value not in (None, "", [])
            }
            rules.append(rule)
        return {"CORSRules": rules}


class Question(forms.Form):
    """What a page of another origin would do."""

    test_origin = forms.CharField(
        label=gettext_lazy("A page of"),
        max_length=2048,
        widget=UnfoldAdminTextInputWidget({"placeholder": "https://example.com", **PLAIN}),
    )
    test_method = forms.ChoiceField(
        label=gettext_lazy("sends a"),
        choices=[(method, method) for method in METHODS],
        widget=UnfoldAdminSelectWidget({"class": "narrow-field"}),
    )
    test_headers = forms.CharField(
        label=gettext_lazy("with the headers"),
        required=False,
        max_length=2048,
        widget=UnfoldAdminTextInputWidget({"placeholder": "content-type, x-amz-meta-a", **PLAIN}),
    )


class Verdict(NamedTuple):
    """What one rule makes of a question: nothing in `objection` is that it matches."""

    name: str
    objection: str


class CorsSection(RowsEditor, Editor):
    """Edits the rules, and tries them."""

    slug = "cors"
    kind = Kind("BucketCors", "CORSConfiguration")
    missing = "NoSuchCORSConfiguration"
    nothing: ClassVar[dict[str, Any]] = {"CORSRules": []}
    deletion = "DeleteBucketCors"
    heading = gettext_lazy("Cross-origin access (CORS)")
    words = gettext_lazy(
        "Which web pages of other origins a browser lets read and write this bucket. The first "
        "rule that matches decides. It gives no rights: a request must be allowed as well."
    )
    form_class = CorsForm
    fields_template = "admin/buckets/row_fields.html"
    row_words = gettext_lazy("Rule")
    add_words = gettext_lazy("Add a rule")
    empty_words = gettext_lazy("No rules: browsers let no page of another origin in.")
    after_template = "admin/buckets/cors_tester.html"

    def fill(self, members: Tree, bucket: Bucket) -> CorsForm:
        """Make the rows of the rules."""
        del bucket
        rules = [
            {field: rule.get(name) for field, name in NAMES.items()}
            for rule in members.get("CORSRules", ())
        ]
        return CorsForm(initial=rules)

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return super().actions() | {"test": self._test}

    def more(self, request: HttpRequest, bucket: Bucket, members: Tree) -> dict[str, Any]:
        """Show the tester."""
        del bucket, members
        is_asked = request.method == "POST" and "test_origin" in request.POST
        return {"question": Question(initial=request.POST.dict() if is_asked else None)}

    def _test(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Try the rules as they stand on the page, saved or not."""
        question = Question(request.POST)
        told: dict[str, Any] = {"question": question}
        try:
            members = self.parse(request, bucket)
            if question.is_valid():
                told |= answer(_rules(members), question.cleaned_data)
        except DocumentRefused as error:
            told["test_error"] = str(error)
        if "HX-Request" in request.headers:
            return self.fragment(request, "admin/buckets/cors_answer.html", **told)
        return self.show(request, bucket, **self.as_sent(request), **told)


def _rules(members: Tree) -> list[CorsRule]:
    """Read the rules of a document."""
    return [
        CorsRule(
            allowed_origins=tuple(rule["AllowedOrigins"]),
            allowed_methods=tuple(rule["AllowedMethods"]),
            allowed_headers=tuple(rule.get("AllowedHeaders", ())),
            expose_headers=tuple(rule.get("ExposeHeaders", ())),
            max_age_seconds=rule.get("MaxAgeSeconds"),
            id=rule.get("ID"),
        )
        for rule in members["CORSRules"]
    ]


def answer(rules: Sequence[CorsRule], question: dict[str, Any]) -> dict[str, Any]:
    """Tell what S3 would answer to a preflight, and what each rule had to say until then."""
    request = _preflight(question)
    verdicts: list[Verdict] = []
    for number, rule in enumerate(rules, 1):
        objection = _objection(rule, request)
        verdicts.append(Verdict(rule.id or _("Rule %(number)d") % {"number": number}, objection))
        if not objection:
            break
    found = cors_headers(rules, request)
    headers = [(name.decode(), value.decode("latin-1")) for name, value in found]
    return {"is_let_in": bool(headers), "headers": headers, "verdicts": verdicts}


def _preflight(question: dict[str, Any]) -> Request:
    """Ask as a browser does."""
    lines = {
        b"origin": question["test_origin"].strip(),
        b"access-control-request-method": question["test_method"],
        b"access-control-request-headers": question["test_headers"],
    }
    headers = [(name, value.encode("latin-1", "replace")) for name, value in lines.items() if value]
    scope = {
        "method": "OPTIONS",
        "scheme": "https",
        "raw_path": b"/",
        "headers": headers,
        "query_string": b"",
    }
    return Request(scope, _nothing)


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _objection(rule: CorsRule, request: Request) -> str:
    """Say what of a question a rule does not match; nothing: it matches."""
    if cors_headers((rule,), request):
        return ""
    any_method = msgspec.structs.replace(rule, allowed_methods=METHODS)
    any_header = msgspec.structs.replace(rule, allowed_headers=(ANY,))
    if cors_headers((any_method,), request):
        return _("it does not allow the method")
    if cors_headers((any_header,), request):
        return _("it does not allow one of the headers")
    both = msgspec.structs.replace(any_method, allowed_headers=(ANY,))
    if cors_headers((both,), request):
        return _("it allows neither the method nor all of the headers")
    return _("it does not name the origin")
