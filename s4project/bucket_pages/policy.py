"""The section on a bucket's policy: its text, what it says in words, and what would come of it.

Statements are added by a form and from templates; what the text then says is judged as S3 judges
it when it is saved, and tried before.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from buckets.explaining import explain_access
from buckets.services import BucketError
from iam.console import signed_in
from iam.documents import DOCUMENT_BYTES_MAX, load_policy, read_bucket_policy
from iam.errors import IdentityError
from iam.explanation import Outcome
from iam.grammar import MalformedPolicy
from iam.policy import Cause
from iam.policy_words import sentences
from s3api.operations.bucket_policy import knows_principal
from s4project.bucket_pages.documents import DocumentRefused, Kind, read_json
from s4project.bucket_pages.editor import Editor, Refused, ask_s3
from s4project.bucket_pages.policy_forms import TrialForm, WishForm
from s4project.bucket_pages.policy_templates import TEMPLATES, filled
from s4project.bucket_pages.rows import row_number
from s4project.errands import current_snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket
    from iam.documents import Policy
    from iam.policy_words import Sentence
    from s4project.bucket_pages.documents import Tree

VERSION: Final = "2012-10-17"


class Said(NamedTuple):
    """What one statement says, and to whom."""

    sentence: Sentence
    who: str


class PolicySection(Editor):
    """Edits the policy, and tries it."""

    slug = "policy"
    kind = Kind("BucketPolicy", "Policy")
    missing = "NoSuchBucketPolicy"
    nothing: ClassVar[dict[str, Any]] = {"Policy": ""}
    deletion = "DeleteBucketPolicy"
    formats = ("json",)
    is_drafted = False
    heading = gettext_lazy("Bucket policy")
    words = gettext_lazy(
        "Lets users of other names in, or everybody, and denies what no other policy may then "
        "give. Owner and SuperUsers need none."
    )
    form_class = WishForm
    fields_template = "admin/buckets/policy_fields.html"
    after_template = "admin/buckets/policy_try.html"
    area_rows = 26

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for; the form's own half adds statements."""
        own = super().actions()
        del own["save"], own["draft"]
        return own | {
            "add": self._add,
            "remove": self._remove,
            "template": self._template,
            "try": self._try,
        }

    # --- the document -----------------------------------------------------------------------

    def read(self, request: HttpRequest, bucket: Bucket) -> Tree:
        """Ask S3 for the policy, whose text is the document; Refused, NoSuchBucket."""
        try:
            return {"Policy": ask_s3(request, "GetBucketPolicy", bucket)["Policy"]}
        except Refused as error:
            if error.code != self.missing:
                raise
            return dict(self.nothing)

    def write(self, request: HttpRequest, bucket: Bucket, members: Tree) -> None:
        """Let S3 set the policy, or take it off; Refused, NoSuchBucket."""
        if self.is_nothing(members):
            ask_s3(request, self.deletion, bucket)
        else:
            ask_s3(request, "PutBucketPolicy", bucket, arguments=members)

    def text(self, members: Tree, form: str = "") -> str:
        """Show the policy as it was typed."""
        del form
        policy: str = members["Policy"]
        return policy

    def parse(self, request: HttpRequest, bucket: Bucket) -> Tree:
        """Read the policy as S3 would; DocumentRefused says where it is wrong."""
        text = _sent(request)
        if text.strip():
            judge(text, bucket.name)
        return {"Policy": text if text.strip() else ""}

    def fill(self, members: Tree, bucket: Bucket) -> WishForm:
        """Make the form that adds a statement."""
        del members, bucket
        return WishForm()

    def more(self, request: HttpRequest, bucket: Bucket, members: Tree) -> dict[str, Any]:
        """Say what the policy says, what would not be saved, and who would shut himself out."""
        user = signed_in(request)
        assert user is not None, "the section is shown to who is signed in"
        text = members["Policy"]
        told: dict[str, Any] = {
            "templates": TEMPLATES,
            "said": (),
            "trial": TrialForm(user, initial={"action": "s3:GetObject"}),
        }
        if not text:
            return told
        policy = load_policy(text)
        block = bucket.public_access_block or {}
        return told | {
            "said": said(policy),
            "is_public": policy.is_public,
            "is_blocked": policy.is_public and block.get("block_public_policy", False),
            "is_kept": policy.is_public and block.get("restrict_public_buckets", False),
            "shuts_out": _shuts_out(bucket, user.username, text),
        }

    # --- what changes it --------------------------------------------------------------------

    def _template(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Begin anew, from a template."""
        title = request.POST.get("template", "")
        found = next((each for each in TEMPLATES if each.title == title), None)
        text = _sent(request) if found is None else filled(found, bucket.name)
        return self._redrawn(request, bucket, text)

    def _add(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Add a statement that says what the form asks for."""
        form = WishForm(request.POST)
        try:
            document = _document(_sent(request))
        except DocumentRefused as error:
            return self.parts(request, bucket, document_error=str(error))
        if not form.is_valid():
            return self.parts(
                request, bucket, with_form=True, form=form, **self._of(request, bucket)
            )
        document["Statement"] += form.statements(bucket.name, document["Statement"])
        return self._redrawn(request, bucket, _written(document))

    def _remove(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Take a statement out; the last one with the policy itself."""
        number = row_number(request.POST["do"].partition(" ")[2])
        try:
            document = _document(_sent(request))
        except DocumentRefused as error:
            return self.parts(request, bucket, document_error=str(error))
        statements = document["Statement"]
        if number is not None and number < len(statements):
            del statements[number]
        return self._redrawn(request, bucket, _written(document) if statements else "")

    def _format(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Indent the text."""
        try:
            text = json.dumps(read_json(_sent(request)), indent=2, ensure_ascii=False)
        except DocumentRefused as error:
            return self.parts(request, bucket, document_error=str(error))
        return self._redrawn(request, bucket, text)

    def _redrawn(self, request: HttpRequest, bucket: Bucket, text: str) -> HttpResponse:
        """Draw both halves for a text, be it right or not."""
        parts: dict[str, Any] = {"with_document": True, "document": text, "form": WishForm()}
        try:
            if text:
                judge(text, bucket.name)
        except DocumentRefused as error:
            return self.parts(request, bucket, document_error=str(error), **parts)
        members = {"Policy": text}
        parts |= {"with_form": True, "members": members}
        return self.parts(request, bucket, **parts, **self.more(request, bucket, members))

    def _of(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Say what the policy says that was sent, if it says anything."""
        try:
            return self.more(request, bucket, self.parse(request, bucket))
        except DocumentRefused:
            return {"templates": TEMPLATES}

    # --- what would come of it --------------------------------------------------------------

    def _try(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        """Explain what somebody could do, were the text on the page the policy."""
        user = signed_in(request)
        assert user is not None, "the section is shown to who is signed in"
        trial = TrialForm(user, request.POST)
        told: dict[str, Any] = {"trial": trial}
        try:
            text = self.parse(request, bucket)["Policy"]
            if trial.is_valid():
                told["told"] = explain_access(
                    trial.cleaned_data["action"],
                    trial.resource(bucket.name),
                    username=trial.username,
                    context=trial.context,
                    draft=text,
                )
        except DocumentRefused as error:
            told["trial_error"] = str(error)
        except (IdentityError, BucketError) as error:
            told["trial_error"] = getattr(error, "reason", "") or str(error)
        if "HX-Request" in request.headers:
            return self.fragment(request, "admin/buckets/policy_answer.html", **told)
        return self.show(request, bucket, **self.as_sent(request), **told)


def _sent(request: HttpRequest) -> str:
    return request.POST.get("document", "").replace("\r\n", "\n")


def read_policy(text: str, bucket: str) -> Policy:
    """Read a policy as S3 does when it is put; MalformedPolicy."""
    keyring = current_snapshots().keyring
    return read_bucket_policy(text, bucket, partial(knows_principal, keyring))


def judge(text: str, bucket: str) -> None:
    """Find a policy right, or say what is wrong with it, and where; DocumentRefused."""
    if len(text.encode(errors="replace")) > DOCUMENT_BYTES_MAX:
        raise DocumentRefused(
            _("A policy has at most %(most)d bytes.") % {"most": DOCUMENT_BYTES_MAX}
        )
    document = read_json(text)
    try:
        read_policy(text, bucket)
    except MalformedPolicy as error:
        place = _place(document, bucket)
        reason = str(error).encode(errors="replace").decode()
        raise DocumentRefused(f"{place}: {reason}" if place else reason) from error


def _place(document: Any, bucket: str) -> str:
    """Name the first statement that would be refused alone."""
    if not isinstance(document, dict):
        return ""
    for number, fields in enumerate(_listed(document.get("Statement", [])), 1):
        alone = json.dumps({"Version": VERSION, "Statement": [fields]})
        try:
            read_policy(alone, bucket)
        except MalformedPolicy:
            sid = fields.get("Sid") if isinstance(fields, dict) else None
            name = f' "{sid}"' if isinstance(sid, str) else ""
            return _("Statement %(number)d%(name)s") % {"number": number, "name": name}
    return ""


def _document(text: str) -> Tree:
    """Read a text whose statements can be added to; DocumentRefused."""
    found = read_json(text) if text.strip() else {"Version": VERSION, "Statement": []}
    if not isinstance(found, dict):
        raise DocumentRefused(_("A policy is an object {...}."))
    return found | {"Statement": _listed(found.get("Statement", []))}


def _written(document: Tree) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def said(policy: Policy) -> list[Said]:
    """Put the statements of a policy into words, each with whom it is about."""
    if not policy.text:  # one that this version does not understand, and that denies everything
        return [Said(sentence, _("everybody")) for sentence in sentences(policy)]
    statements = _listed(json.loads(policy.text)["Statement"])
    pairs = zip(sentences(policy), statements, strict=True)
    return [Said(sentence, _who(fields)) for sentence, fields in pairs]


def _who(fields: Tree) -> str:
    """Name whom a statement is about."""
    named: Any = fields.get("Principal", fields.get("NotPrincipal"))
    kinds: Tree = {"AWS": named} if isinstance(named, str) else named
    names = [_short(name) for each in kinds.values() for name in _listed(each)]
    words = _("everybody") if "*" in names else ", ".join(names)
    return _("all but %(names)s") % {"names": words} if "NotPrincipal" in fields else words


def _short(name: str) -> str:
    """Leave of an ARN what people know a user by."""
    kind, sign, user = name.partition(":user/")
    return user if sign and kind.startswith("arn:aws:iam::") else name


def _shuts_out(bucket: Bucket, username: str, text: str) -> bool:
    """Whether who is about to save a policy could not even list the bucket any more.

    The policy itself he could change all the same: API_PutBucketPolicy, of the bucket's owner.
    """
    told = explain_access("s3:ListBucket", bucket.name, username=username, draft=text)
    return told.outcome is Outcome.DENIED and told.cause == Cause.BUCKET.name.lower()
