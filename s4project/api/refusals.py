"""Every way a call is refused, as `{"error": a sentence}` with the right status.

The services' types become statuses here, in one table. What nobody expected is Django's to log; its
answer has the same form (`s4project.error_pages`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.http import Http404, JsonResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from buckets.lifecycle import LifecycleRefused
from buckets.services import (
    BucketAlreadyExists,
    BucketError,
    BucketNotEmpty,
    InvalidBucketName,
    NoSuchBucket,
)
from iam import errors
from iam.errors import IdentityError
from iam.sealing import SealingError
from s3api.errors import S3Error
from s3api.http.target import Target
from s3api.operations.translate import s3_error
from s4project.sql.trouble import RETRY_SECONDS, is_away, is_told
from storage_engine import Busy, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest

log = structlog.get_logger(__name__)

CHALLENGE: Final = 'Bearer realm="api"'
NOWHERE: Final = Target(bucket=None, key=None, is_virtual_host=False, resource="/")
STATUSES: Final[dict[type[Exception], HTTPStatus]] = {
    InvalidBucketName: HTTPStatus.BAD_REQUEST,
    NoSuchBucket: HTTPStatus.NOT_FOUND,
    BucketAlreadyExists: HTTPStatus.CONFLICT,
    BucketNotEmpty: HTTPStatus.CONFLICT,
    LifecycleRefused: HTTPStatus.BAD_REQUEST,
    errors.InvalidIdentity: HTTPStatus.BAD_REQUEST,
    errors.WrongPassword: HTTPStatus.UNAUTHORIZED,
    errors.TooManySignIns: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NoSuchUser: HTTPStatus.NOT_FOUND,
    errors.NoSuchAccessKey: HTTPStatus.NOT_FOUND,
    errors.NoSuchPolicy: HTTPStatus.NOT_FOUND,
    errors.NoSuchRole: HTTPStatus.NOT_FOUND,
    errors.NoSuchGroup: HTTPStatus.NOT_FOUND,
    errors.NotAttached: HTTPStatus.NOT_FOUND,
    errors.InvalidPolicyDocument: HTTPStatus.BAD_REQUEST,
    errors.LimitExceeded: HTTPStatus.CONFLICT,  # as AWS answers it
    errors.NameTaken: HTTPStatus.CONFLICT,
    errors.StillInUse: HTTPStatus.CONFLICT,
    errors.BuiltinKept: HTTPStatus.CONFLICT,
    errors.RoleLoop: HTTPStatus.BAD_REQUEST,
    errors.SuperUserNotGiven: HTTPStatus.BAD_REQUEST,
    errors.UsernameTaken: HTTPStatus.CONFLICT,
    errors.CanonicalIdTaken: HTTPStatus.CONFLICT,
    errors.AccountIdTaken: HTTPStatus.CONFLICT,
    errors.AccessKeyTaken: HTTPStatus.CONFLICT,
    errors.LastSuperUser: HTTPStatus.CONFLICT,
    errors.RootUserKept: HTTPStatus.CONFLICT,
    errors.UserOwnsBuckets: HTTPStatus.CONFLICT,
    errors.OwnRightsKept: HTTPStatus.CONFLICT,
    errors.NoAccessKey: HTTPStatus.CONFLICT,
    Busy: HTTPStatus.CONFLICT,
}


# What the services raise on purpose, and what their databases may.
OURS: Final = (
    *(IdentityError, BucketError, InvalidBucketName, LifecycleRefused, S3Error),
    *(EngineError, SealingError),
)


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a refusal; None for what nobody expected, which is Django's to log."""
    if is_away(error):
        return _away()
    if isinstance(error, APIException | Http404) or not isinstance(error, OURS):
        return _in_our_form(exception_handler(error, context), error)
    set_rollback()
    status, sentence = _of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("api_trouble", error=repr(error))
    response = Response({"error": sentence}, status)
    if isinstance(error, errors.TooManySignIns):
        response.headers["Retry-After"] = str(error.wait_seconds)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def _away() -> Response:
    """Answer while SQL does not; the log has a line for all of it."""
    set_rollback()
    sentence = "The database does not answer now: try again."
    retry = {"Retry-After": str(RETRY_SECONDS)}
    response = Response({"error": sentence}, HTTPStatus.SERVICE_UNAVAILABLE, headers=retry)
    return is_told(response)


def _of(error: Exception) -> tuple[int, str]:
    """Find the status and the sentence of a refusal of ours."""
    if (status := STATUSES.get(type(error))) is not None:
        return status, str(error)
    if isinstance(error, EngineError):
        error = s3_error(error, NOWHERE)
    if isinstance(error, S3Error):
        return error.status, error.message
    if isinstance(error, IdentityError | BucketError):
        return HTTPStatus.CONFLICT, str(error)
    return HTTPStatus.SERVICE_UNAVAILABLE, str(error)


def _in_our_form(response: Response | None, error: Exception) -> Response | None:
    """Say what the library refused in one sentence."""
    if response is None:
        return None
    if isinstance(error, ValidationError):
        response.data = {"error": " ".join(_sentences(error.detail))}
    else:
        response.data = {
            "error": str(response.data.get("detail", HTTPStatus(response.status_code).phrase))
        }
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.headers.setdefault("WWW-Authenticate", CHALLENGE)
    return response


def _sentences(detail: Any, where: str = "") -> Iterator[str]:
    """Walk what is wrong with each field, its path before it."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            is_whole = name == "non_field_errors"
            yield from _sentences(inner, where if is_whole else f"{where}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            is_nested = isinstance(inner, dict | list)
            yield from _sentences(inner, f"{where}.{number}".lstrip(".") if is_nested else where)
    else:
        yield f"{where}: {detail}" if where else str(detail)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer an address under /api/ that there is not."""
    del exception
    return JsonResponse({"error": f"There is no {request.path}."}, status=HTTPStatus.NOT_FOUND)
