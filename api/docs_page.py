"""/docs without the internet: Swagger UI from our own files on the page's own OpenAPI document.

The application switches FastAPI's own pages off (`docs_url=None, redoc_url=None`) and answers /docs with `docs_html()`;
its files are part of `maps.base.static_routes()`.
"""

from __future__ import annotations

import json

from maps import base
from maps.words import Lang, word

#: What the page loads from /static, to be listed where static files are checked.
STATIC_FILES = ("vendor/swagger-ui/swagger-ui-bundle.js", "vendor/swagger-ui/swagger-ui.css")


def docs_html(openapi_url: str = "/openapi.json", *, title: str | None = None, lang: Lang = "zh") -> str:
    """A page that shows the API of `openapi_url` and asks no host but its own; equal arguments give equal bytes.

    Raises FileUnreadable when the browser files are not installed (`sh scripts/web`).
    """
    options = {
        "url": openapi_url,
        "dom_id": "#swagger-ui",
        "deepLinking": True,
        "validatorUrl": None,  # the default asks a validator on the internet
        "displayRequestDuration": True,
        "tryItOutEnabled": True,
        "docExpansion": "list",
    }
    script, sheet = STATIC_FILES
    # `</` cannot close the script element from inside a JSON text.
    start = json.dumps(options).replace("</", "<\\/")
    return base.document(
        title=title or word("docs.title", lang),
        lang=lang,
        head=[base.stylesheet(sheet, "static")],
        body=[
            '<main id="swagger-ui"></main>',
            base.script(script, "static"),
            f"<script>window.swagger = SwaggerUIBundle({start});</script>",
        ],
        assets="static",
        connect="'self'",
    )
