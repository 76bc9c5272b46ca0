"""Links to hand to somebody, which let them in once."""

from __future__ import annotations

from fastapi import Request


def link(request: Request, page: str, token: str) -> str:
    """The link to `page` (`join`, `reset`), under the name by which browsers ask for ours.

    Its token stands behind the `#`, which browsers send to nobody. The proxy
    before us may ask by HTTP where browsers come by HTTPS: the link is theirs.
    """
    base = request.base_url
    if request.app.state.options.is_https:
        base = base.replace(scheme="https")
    return f"{str(base).rstrip('/')}/{page}#{token}"
