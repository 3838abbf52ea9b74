"""The API's document, and pages to read it and try it: for whoever has signed in.

Nothing of the pages stands inside their HTML or comes from elsewhere: they work under a strict
content security policy.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from csp.decorators import csp_update
from django.contrib.auth.views import redirect_to_login
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.response import Response

from iam.api.permissions import SignedIn


@cache
def document() -> Any:
    """Make the document, once for all: nothing in it depends on who asks."""
    made: Any = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


class SchemaView(SpectacularAPIView):
    """The document, as YAML or JSON by what the client takes."""

    permission_classes = (SignedIn,)
    renderer_classes: Any = (OpenApiJsonRenderer, OpenApiYamlRenderer)
    content_negotiation_class = DefaultContentNegotiation
    metadata_class = None

    def _get_schema_response(self, request: Any) -> Response:
        del request
        return Response(document())


@method_decorator(csp_update({"img-src": ["data:"]}), name="dispatch")  # signs in its style sheet
class DocsView(SpectacularSwaggerSplitView):
    """The pages."""

    permission_classes = (SignedIn,)
    template_name = "api/docs.html"
    url_name = "api-schema"
    metadata_class = None

    def handle_exception(self, exc: Exception) -> Any:
        """Lead a browser that has not signed in to where one does."""
        if isinstance(exc, NotAuthenticated):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)
