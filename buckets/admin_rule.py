"""The page that edits one lifecycle rule of a bucket, and tells what it would do before it does."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.utils.translation import gettext

from buckets import services
from buckets.admin_lifecycle import LifecycleSection, change_rules, find_rule, rules_of
from buckets.admin_preview import look
from buckets.configuration import Lifecycle
from buckets.console import Section, address
from buckets.forms_lifecycle import RuleForm, rule_fields
from buckets.lifecycle import LifecycleRefused, check_lifecycle
from buckets.lifecycle_words import is_about_everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket
    from storage_engine import LifecycleRule

NOT_HERE: Final = "no form can hold that, so it is changed over S3 or REST."
# Which field of the form a refusal is about, by a word of it.
FIELDS: Final = (
    ("with Tags", "tag_key_0"),
    ("with Object Size", "size_above"),
    ("ObjectSizeLessThan", "size_below"),
    ("ObjectSizeGreaterThan", "size_above"),
    ("NewerNoncurrentVersions", "noncurrent_kept"),
    ("Versions are only kept", "noncurrent_days"),
    ("Objects expire after days", "expire_days"),
    ("Rule ID", "id"),
    ("ID length", "id"),
    ("prefix", "key_prefix"),
)


class RuleChanged(services.BucketError):
    """Somebody else was faster."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(
            gettext("The rule %(name)s was changed meanwhile: open it again.") % {"name": rule_id}
        )


class RuleSection(Section):
    """Edits a rule, the one that the address names, or a new one."""

    slug = "rule"
    tab = "lifecycle"
    template = "admin/buckets/rule.html"
    refusals = LifecycleSection.refusals

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return {"save": self._save, "preview": self._preview}

    def _answer(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Leave alone what a browser would change by showing it, and so what the rule is about."""
        rule = next((each for each in rules_of(bucket) if each.id == request.GET.get("rule")), None)
        if rule is not None and _has_line_break(rule):
            messages.error(request, f"The rule {rule.id} has a line break in it: {NOT_HERE}")
            return HttpResponseRedirect(address(bucket, self.tab))
        return super()._answer(request, bucket)

    def show(self, request: HttpRequest, bucket: Bucket, **more: Any) -> HttpResponse:
        """Show the rule to who may change it; others see all of it in the list."""
        if not self.may_set(request, bucket):
            raise PermissionDenied
        rule_id = request.GET.get("rule", "")
        rules = rules_of(bucket)
        rule = next((each for each in rules if each.id == rule_id), None)
        if rule_id and rule is None:
            return HttpResponseRedirect(address(bucket, self.tab))
        first = {"id": _new_name(rules), "is_enabled": True} if rule is None else rule_fields(rule)
        told = {
            "form": RuleForm(initial=first),
            "rule": rule,
            "seen": "" if rule is None else _digest(rule),
            "to_preview": {"formaction": f"{request.get_full_path()}#preview"},
        }
        return super().show(request, bucket, **{**told, **more})

    def _save(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        form = self._form(request)

        def change() -> None:
            change_rules(request, bucket, lambda rules: _with(request, rules, form.rule))

        return self.save_form(
            request,
            bucket,
            form,
            change,
            gettext("The rule %(name)s was saved.") % {"name": form["id"].value()},
        )

    def _preview(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Tell what the rule alone would do as it stands in the form, enabled or not."""
        form = self._form(request)
        told: dict[str, Any] = {"form": form, "seen": request.POST.get("seen", "")}
        if form.is_valid():
            rule = msgspec.structs.replace(form.rule, is_enabled=True)
            after_key = unquote(request.POST["do"].partition(" ")[2])
            try:
                check_lifecycle(Lifecycle(rules=(rule,)))
                told |= look(request, bucket, (rule,), form.cleaned_data["at"], after_key)
            except self.refusals as error:
                self.refuse(form, error)
            else:
                told |= {
                    "is_about_everything": is_about_everything(rule),
                    "next_after": quote(told["preview"].next_key),
                }
        return self.show(request, bucket, **told)

    def _form(self, request: HttpRequest) -> RuleForm:
        """Read the form; the name of a rule that is there already stays."""
        values = request.POST.copy()
        values["id"] = request.GET.get("rule") or values.get("id", "")
        return RuleForm(values)

    def refuse(self, form: Any, error: Exception) -> None:
        """Put a refusal of the rules at the field that it is about."""
        if not isinstance(error, LifecycleRefused):
            super().refuse(form, error)
            return
        field = next((name for word, name in FIELDS if word in str(error)), None)
        form.add_error(field, str(error))


def _with(
    request: HttpRequest, rules: tuple[LifecycleRule, ...], rule: LifecycleRule
) -> tuple[LifecycleRule, ...]:
    """Put a rule among the others: in its own place and name, or last; NoSuchRule, RuleChanged."""
    rule_id = request.GET.get("rule")
    if not rule_id:
        return (*rules, rule)
    before = find_rule(rules, rule_id)
    if _digest(before) != request.POST.get("seen"):
        raise RuleChanged(rule_id)
    after = msgspec.structs.replace(rule, id=rule_id)
    return tuple(after if each is before else each for each in rules)


def _has_line_break(rule: LifecycleRule) -> bool:
    """Whether fields of a form cannot hold what a rule says: browsers take line breaks out."""
    texts = (rule.prefix, *rule.tags, *rule.tags.values())
    return any(end in text for text in texts for end in "\r\n")


def _digest(rule: LifecycleRule) -> str:
    """Tell a rule from what it was."""
    return sha256(msgspec.json.encode(rule)).hexdigest()


def _new_name(rules: tuple[LifecycleRule, ...]) -> str:
    """Propose a name that no rule has."""
    taken = {rule.id for rule in rules}
    names = (f"rule-{number}" for number in range(1, len(rules) + 2))
    return next(name for name in names if name not in taken)
