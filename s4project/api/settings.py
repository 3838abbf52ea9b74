"""How the REST API is set up, in the words of its libraries. Read by the settings: no imports."""

from __future__ import annotations

from typing import Any, Final

REST_FRAMEWORK: Final[dict[str, Any]] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "iam.api.tokens.TokenAuthentication",
        "iam.api.tokens.ConsoleSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["iam.api.permissions.SuperUsers"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["iam.api.fields.StrictJson"],
    "DEFAULT_SCHEMA_CLASS": "s4project.api.schema.Schema",
    "EXCEPTION_HANDLER": "s4project.api.refusals.answer",
    "URL_FORMAT_OVERRIDE": None,  # `?format=` is a parameter like any other
    "UNAUTHENTICATED_USER": None,
    "FORMAT_SUFFIX_KWARG": None,
    "COMPACT_JSON": True,
}

SIMPLE_JWT: Final[dict[str, Any]] = {
    "ALGORITHM": "HS256",
    "AUTH_HEADER_TYPES": ("Bearer", "bearer"),  # RFC 9110, 11.1: its case means nothing
    "USER_ID_CLAIM": "sub",
    "UPDATE_LAST_LOGIN": False,
}

SPECTACULAR: Final[dict[str, Any]] = {
    "TITLE": "S4 admin API",
    "DESCRIPTION": (
        "Administers S4: users, access keys, rights, buckets, the store itself. "
        "`POST /api/admin/login` gives a token, which every other call wants as "
        '`Authorization: Bearer TOKEN`. A refusal is always `{"error": "a sentence"}`.'
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["iam.api.permissions.SignedIn"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": ["s4project.api.schema.finish"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": False,
        "displayOperationId": False,
        "defaultModelsExpandDepth": 0,
        "validatorUrl": None,  # nothing is asked of any other server
    },
}
