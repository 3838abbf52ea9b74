"""Reads a policy that somebody is writing, and tells him what it says or where it is wrong.

For who is signed in; the text is judged as it is when it is saved, and nothing is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse

from iam.console import signed_in
from iam.documents import read_identity_policy
from iam.errors import IdentityError
from iam.policy_words import sentences
from iam.services.documents import check_document

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

CHARACTERS_MAX: Final = 65_536  # more than any policy may have
FIELDS: Final = ("document", "policy")  # what the forms call a policy


def page(request: HttpRequest) -> HttpResponse:
    """Answer a part of a page: the statements in words, or what is wrong."""
    if signed_in(request) is None:
        raise PermissionDenied
    text = next((request.POST[name] for name in FIELDS if request.POST.get(name)), "")
    text = text[:CHARACTERS_MAX].replace("\r\n", "\n")
    told: dict[str, Any] = {}
    if text.strip():
        try:
            check_document(text)
            told["sentences"] = sentences(read_identity_policy(text))
        except IdentityError as error:
            told["refusal"] = getattr(error, "reason", "") or str(error)
    return TemplateResponse(request, "admin/iam/policy_check.html", told)
