"""RenameObject: one key in AWS's form, and all keys below a prefix as S4's extension of it.

AWS has the operation for directory buckets, where it never renames a key that ends in a slash
(GUIDE directory-buckets-objects-rename): so two names that end in one mean prefixes here. All
versions of a key move with it, which is S4's own too: directory buckets have none.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from iam.policy import NOBODY_ALLOWS
from s3api.context import Answer
from s3api.decision import denial
from s3api.errors import S3Error
from s3api.http.preconditions import (
    RENAME_SOURCE,
    check_replaced,
    check_source,
    read_conditions,
)
from s3api.operations.access import (
    authorise,
    authorise_below,
    authorise_for_good,
    authorise_match,
    is_plain,
)
from storage_engine import NoSuchKey, NoSuchPrefix, Receipt, Versioning

if TYPE_CHECKING:
    from s3api.context import Call
    from s3api.decision import OpenDecision
    from s3api.http.preconditions import Conditions
    from storage_engine import Guard, ObjectInfo

SOURCE_HEADER: Final = "x-amz-rename-source"
TOKEN_CHARACTERS_MAX: Final = 64
TOKEN_BYTES: Final = 16  # of its digest: what the engine keeps
CONDITIONS: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
ANYTHING: Final = "*"
READ: Final = "s3:GetObject"
DELETE: Final = "s3:DeleteObject"
DELETE_VERSION: Final = "s3:DeleteObjectVersion"
# A rename changes nothing but the name: headers that ask for more are refused.
NO_PART_OF_IT: Final = (
    b"x-amz-acl",
    b"x-amz-copy-source",
    b"x-amz-grant-",
    b"x-amz-meta-",
    b"x-amz-object-lock-",
    b"x-amz-server-side-",
    b"x-amz-storage-class",
    b"x-amz-tagging",
    b"x-amz-website-",
)


async def rename_object(call: Call) -> Answer:
    """Give a key, or all keys below a prefix, another name in the same bucket; all or nothing."""
    source = _source(call)
    _check_names(call, source)
    open_decisions = _authorise(call, source)
    receipt = _receipt(call, source)
    try:
        if source.endswith("/"):
            await _rename_prefix(call, source, open_decisions, receipt)
        else:
            await _rename_key(call, source, open_decisions, receipt)
    except (NoSuchKey, NoSuchPrefix) as error:
        raise S3Error("NoSuchKey", Key=source) from error
    return Answer()


def _source(call: Call) -> str:
    """Read the source's key: `key`, `/key`, `bucket/key` or `/bucket/key`, encoded like a form.

    AWS's pages show all of these; that `+` is a space was seen at its sister, the copy source. What
    begins with the bucket's own name is read as the longer form, whatever there is in the bucket: a
    request that is repeated must mean the same again.
    """
    value: str = call.arguments.get("RenameSource", "")
    try:
        path = unquote_to_bytes(value.replace("+", " ")).decode().removeprefix("/")
    except UnicodeDecodeError:
        path = ""
    key = path.removeprefix(f"{call.bucket.name}/")
    if not key:
        raise S3Error(
            "InvalidArgument",
            "Rename Source must mention the source key: sourcebucket/sourcekey",
            ArgumentName=SOURCE_HEADER,
            ArgumentValue=value,
        )
    return key


def _check_names(call: Call, source: str) -> None:
    """Refuse two names that are the same or not of one kind, and headers of another operation."""
    if source == call.key:
        raise S3Error("InvalidRequest", "The source and the target of the rename are the same.")
    if source.endswith("/") != call.key.endswith("/"):
        raise S3Error(
            "InvalidRequest", "Both names of a rename end in a slash, which renames all below it."
        )
    for name, _ in call.request.header_items:
        if name.startswith(NO_PART_OF_IT):
            raise S3Error(
                "InvalidRequest", f"A rename changes nothing but the name: {name.decode()}"
            )


def _authorise(call: Call, source: str) -> list[OpenDecision]:
    """Refuse who may not take the source away and read it; return what depends on the object.

    Reading, for the name may decide who may read. Where versions are kept, all of them go: those of
    the source to their new name, those of a target that is to be replaced for good. All below a
    prefix that is replaced goes as well, whatever takes its place.
    """
    wanted = [(READ, source), (DELETE, source)]
    if source.endswith("/") and call.request.header("if-match") is not None:
        wanted.append((DELETE, call.key))
        authorise_for_good(call, call.key, is_prefix=True)
    if call.versioning is not Versioning.UNVERSIONED:
        wanted.append((DELETE_VERSION, source))
        if call.request.header("if-match") is not None:
            wanted.append((DELETE_VERSION, call.key))
    if source.endswith("/") and not is_plain(call, call.bucket):
        wanted.append(("s3:PutObject", call.key))
        decisions = [authorise_below(call, action, prefix) for action, prefix in wanted]
    else:
        decisions = [authorise(call, action, call.bucket, key) for action, key in wanted]
    return [decision for decision in decisions if decision is not None]


def _receipt(call: Call, source: str) -> Receipt | None:
    """Digest who names his request how, and all that the request asks for; None without a token."""
    token = call.arguments.get("ClientToken")
    if token is None:
        return None
    is_printable = all("!" <= character <= "~" for character in token)
    if not (0 < len(token) <= TOKEN_CHARACTERS_MAX and is_printable):
        raise S3Error(
            "InvalidArgument",
            "A client token has up to 64 printable ASCII characters, and no blank.",
            ArgumentName="x-amz-client-token",
            ArgumentValue=token,
        )
    name = "\0".join((str(call.bucket.id), call.caller_id, token))
    conditions = [
        call.request.header(prefix + condition) or ""
        for prefix in ("", RENAME_SOURCE)
        for condition in CONDITIONS
    ]
    request = "\0".join((source, call.key, *conditions))
    return Receipt(sha256(name.encode()).digest()[:TOKEN_BYTES], sha256(request.encode()).digest())


# --- one key --------------------------------------------------------------------------------


async def _rename_key(
    call: Call, source: str, open_decisions: list[OpenDecision], receipt: Receipt | None
) -> None:
    """Rename one key, over an existing one as AWS does.

    Where versions are kept those of the target would go too, so there it must be asked for.
    """
    conditions = read_conditions(call.request)
    is_asked = conditions is not None and conditions.if_match is not None
    is_unversioned = call.versioning is Versioning.UNVERSIONED
    await call.store.committed(
        call.engine.rename_object(
            call.bucket.id,
            source,
            call.key,
            guard=_target_guard(call, conditions),
            source_guard=_source_guard(call, open_decisions),
            replace=is_unversioned or is_asked,
            receipt=receipt,
        )
    )


def _target_guard(call: Call, conditions: Conditions | None) -> Guard | None:
    if conditions is None:
        return None
    asked = conditions.if_match, conditions.if_none_match
    times = conditions.if_modified_since, conditions.if_unmodified_since
    reading = authorise_match(call, call.key, *asked, *times)

    def guard(current: ObjectInfo | None) -> None:
        if reading is not None:
            reading.settle(current)
        if current is None:
            check_replaced(conditions, call.key, None, 0)
        else:
            check_replaced(conditions, call.key, current.etag, current.modified_ms)

    return guard


def _source_guard(call: Call, open_decisions: list[OpenDecision]) -> Guard:
    conditions = read_conditions(call.request, RENAME_SOURCE)

    def guard(current: ObjectInfo | None) -> None:
        for decision in open_decisions:
            decision.settle(current)
        if conditions is not None and current is not None:  # without it the engine refuses
            check_source(conditions, current.etag, current.modified_ms)

    return guard


# --- all keys below a prefix ----------------------------------------------------------------


async def _rename_prefix(
    call: Call, source: str, open_decisions: list[OpenDecision], receipt: Receipt | None
) -> None:
    """Rename a prefix, over what is below the target only with `If-Match: *`.

    Whose each object is nobody looks at; what its ACL grants goes with it, so only who may read
    can be left open.
    """
    for decision in open_decisions:
        if decision.action != READ:
            raise denial(decision.hearing, decision.action, NOBODY_ALLOWS)
    conditions = read_conditions(call.request)
    is_replacing = _is_replacing(conditions)
    if read_conditions(call.request, RENAME_SOURCE) is not None:
        raise _no_condition()

    def guard(is_taken: bool) -> None:  # noqa: FBT001  # it is the engine's question
        if is_replacing and not is_taken:
            raise S3Error("PreconditionFailed", Condition="If-Match")
        if conditions is not None and is_taken and not is_replacing:
            raise S3Error("PreconditionFailed", Condition="If-None-Match")

    await call.store.committed(
        call.engine.rename_prefix(
            call.bucket.id,
            source,
            call.key,
            guard=guard,
            replace=is_replacing,
            receipt=receipt,
        )
    )


def _is_replacing(conditions: Conditions | None) -> bool:
    """Read the only two conditions that a prefix can meet or fail."""
    if conditions is None:
        return False
    asked = conditions.if_match, conditions.if_none_match
    has_time = conditions.if_modified_since or conditions.if_unmodified_since
    if has_time is not None or asked not in {(ANYTHING, None), (None, ANYTHING)}:
        raise _no_condition()
    return conditions.if_match is not None


def _no_condition() -> S3Error:
    return S3Error(
        "InvalidRequest",
        "A prefix has neither ETag nor time: only If-Match: * or If-None-Match: * can be asked.",
    )
