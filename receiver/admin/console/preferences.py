"""How somebody likes to see the console: its language and its theme, on this device and in their account."""

from typing import Any

from flask import redirect, request
from werkzeug.wrappers import Response as Redirection

from ..parts import parts
from . import cookies
from .appearance import THEMES
from .languages import LOCALES
from .notices import local
from .routes import Pages, Who
from .visitor import session

pages = Pages("preferences")


@pages.post("/preferences", needs=Who.ANYBODY)
def change() -> Redirection:
    response = redirect(local(request.form.get("next", "/")), 303)
    chosen: dict[str, Any] = {
        name: value
        for name, among in (("locale", LOCALES), ("theme", THEMES))
        if (value := request.form.get(name, "")) in among
    }
    for name, value in chosen.items():
        cookies.put(response, {"locale": cookies.LOCALE, "theme": cookies.THEME}[name], value, cookies.LIKED_FOR)
    held = session()
    if held is not None and chosen:
        parts().people.change(held.person, **chosen)
    return response
