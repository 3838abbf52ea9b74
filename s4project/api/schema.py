"""The API's document: OpenAPI, made of the calls' declarations."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

TAGS: Final = {
    "Session": "Signing in and out, and who you are.",
    "Identity": "Users, access keys, groups, roles, policies; what they come to; the audit log.",
    "Buckets": "Buckets, their settings, what is in them. Decided as requests to S3 are.",
    "Quotas": "What buckets and users hold and may hold.",
    "Store": "The whole store: figures, compaction, scrub, jobs.",
}


class Schema(AutoSchema):
    """Reads a view's declarations."""

    def get_tags(self) -> list[str]:
        """Answer the heading that the view stands under."""
        return [getattr(self.view, "tag", "Identity")]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library registers subclasses
    """How a token is sent."""

    target_class = "iam.api.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe it."""
        del auto_schema
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    """How the console's pages ask."""

    target_class = "iam.api.tokens.ConsoleSession"
    name = "session"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe it."""
        del auto_schema
        description = "A session of the console; changes need its CSRF token too."
        return {"type": "apiKey", "in": "cookie", "name": "s4_session", "description": description}


def finish(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Say what the declarations cannot: what is taken is taken strictly; what headings mean."""
    del more
    for name, component in result["components"]["schemas"].items():
        if name.endswith("Request"):
            component["additionalProperties"] = False
    refusals: dict[str, Any] = {}
    result["components"]["responses"] = refusals
    for path in result["paths"].values():
        for call in path.values():
            _share_refusals(call["responses"], refusals)
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    return result


def _share_refusals(responses: dict[str, Any], refusals: dict[str, Any]) -> None:
    """Let one call's refusals point to where each stands once, and name what has no description."""
    for status, response in responses.items():
        response["description"] = response.get("description") or HTTPStatus(int(status)).phrase
        if int(status) >= HTTPStatus.BAD_REQUEST:
            refusals[f"Refusal{status}"] = response
            responses[status] = {"$ref": f"#/components/responses/Refusal{status}"}
