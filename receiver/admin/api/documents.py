"""What the API says of itself: its OpenAPI document, and pages that people read."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from flask import Response, jsonify, render_template, request
from flask_openapi3 import OpenAPI
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from receiver.access.scopes import MEANINGS

from .problems import KINDS, TYPES_AT
from .reference import pretty, subjects
from .routes import PREFIX, Declared, public
from .schemas import complete, example_of

DESCRIPTION = """Query, export and watch the replies that came in; ask and change the opt-out register; send guarded.

Every request needs `Authorization: Bearer <key>`. Keys are made with `receiver keys create NAME --scope …`, or here.
Times are RFC 3339 and name their zone; in answers they are UTC. A phone may be written in any form. Lists are pages,
newest first: follow `next` until it is null. Errors are problem documents (RFC 9457), whose `type` leads to an
explanation."""


def describe(app: OpenAPI, declared: Iterable[Declared]) -> None:
    """Give ``app`` the document, made whole by what its routes have ``declared``, and the pages."""

    @cache
    def document() -> dict[str, Any]:
        return complete(app.api_doc, declared)

    @public
    def openapi_document() -> Response:
        return jsonify(document())

    def api_docs() -> str:
        return render_template(
            "api/docs.html",
            info=document()["info"],
            subjects=subjects(document(), request.host_url.rstrip("/")),
            scopes=MEANINGS,
            kinds=KINDS,
        )

    def api_problem(name: str) -> str:
        kind = next((each for each in KINDS if each.name == name), None)
        if kind is None:
            raise NotFound
        return render_template("api/problem.html", kind=kind, example=pretty(example_of(kind)))

    app.jinja_env.filters["prose"] = prose
    app.add_url_rule(f"{PREFIX}/openapi.json", view_func=openapi_document)
    app.add_url_rule("/api/docs", view_func=api_docs)
    app.add_url_rule(f"{TYPES_AT}<name>", view_func=api_problem)


def prose(text: str) -> Markup:
    """Text with `code` in it, as HTML."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))
