"""The pages: templates filled in, in the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from instructglm.report.visible import visible
from instructglm.studio.words import LANGUAGE_COOKIE, LANGUAGES, chosen_language, language_of, words_in

_A_YEAR_S = 365 * 24 * 3600


def render(
    request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> Response:
    """A page. It may use `t` (the words), `me` (the visitor, or None), `csrf`, `path`, `lang`, and `values`."""
    language = language_of(request)
    visitor = getattr(request.state, "visitor", None)
    page = _environment().get_template(template)
    text = page.render(
        t=words_in(language),
        lang=language,
        other_lang=next(one for one in LANGUAGES if one != language),
        me=visitor,
        csrf=visitor.csrf if visitor else "",
        path=request.url.path,
        **values,
    )
    # Half characters, which JSON may spell and stores may hold, are no UTF-8.
    response = HTMLResponse(text.encode(errors="xmlcharrefreplace"), status, headers)
    if chosen := chosen_language(request):
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=_A_YEAR_S, samesite="lax", httponly=True)
    return response


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("instructglm.studio", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "instant": instant}
    return environment


def instant(at_ms: int) -> str:
    """A time as pages tell it.

    >>> instant(0)
    '1970-01-01 00:00 UTC'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
