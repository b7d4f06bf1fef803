"""What every template knows: who looks, in which language and theme, where they may go, and how values are written."""

from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from babel import numbers
from babel.dates import format_timedelta
from babel.units import format_unit
from flask import Flask, Response, current_app, request, url_for
from flask_babel import format_datetime, get_locale

from receiver.access.roles import Permission
from receiver.vocabulary.identity import mask, mask_phones, phone_identity
from receiver.vocabulary.sizes import scaled

from . import cookies, csrf, words
from .addresses import with_query
from .languages import LOCALES, TAGS, locale
from .navigation import entries
from .problems import failure_told
from .tables import labelled
from .visitor import session

AUTO, LIGHT, DARK = "auto", "light", "dark"
THEMES = (AUTO, LIGHT, DARK)
_A_YEAR = 365 * 24 * 3600


def add_appearance(app: Flask) -> None:
    """Give the templates of ``app`` their globals and filters."""
    app.jinja_env.globals.update(
        asset=_asset,
        csrf_word=csrf.word,
        here=_here,
        locales=LOCALES,
        may=_may,
        navigation=_navigation,
        tag=lambda: TAGS[locale()],
        chosen_locale=locale,
        chosen_theme=theme,
        themes=THEMES,
        visitor=session,
        with_query=with_query,
        words=words,
    )
    app.jinja_env.filters.update(
        moment=_moment,
        service_number=_service_number,
        number=_number,
        percent=_percent,
        size=_size,
        masked=mask,
        without_phones=mask_phones,
        ago=_ago,
        failure_told=failure_told,
        labelled=labelled,
    )
    app.after_request(_keep_static)


def theme() -> str:
    """How this request's page is coloured."""
    liked = request.cookies.get(cookies.THEME, "")
    return liked if liked in THEMES else AUTO


def _may(permission: str) -> bool:
    held = session()
    return held is not None and held.person.may(Permission(permission))


def _navigation() -> list[Any]:
    held = session()
    return entries(held.person) if held is not None else []


def _here() -> str:
    """The address of this page, to come back to; of a form that was sent, of none."""
    return request.full_path.rstrip("?") if request.method == "GET" else "/"


def _moment(value: datetime, seconds: bool = True) -> str:
    """A time where whoever looks lives, in an order that sorts."""
    return str(format_datetime(value, "yyyy-MM-dd HH:mm:ss" if seconds else "yyyy-MM-dd HH:mm"))


def _ago(value: datetime, now: datetime) -> str:
    span: timedelta = value - now
    return format_timedelta(span, add_direction=True, locale=get_locale())


def _number(value: int) -> str:
    return numbers.format_decimal(value, locale=get_locale())


def _percent(share: float) -> str:
    return numbers.format_percent(share, "0.0%", locale=get_locale())


def _size(size: int) -> str:
    value, unit = scaled(size)
    return format_unit(value, f"digital-{unit}", "short", format="#,##0.#", locale=get_locale())


def _service_number(written: str) -> str:
    """A number of ours, which anybody may see; a phone that somebody wrote in its place is masked."""
    return mask(written) if phone_identity(written) else written


def _asset(name: str) -> str:
    """The address of a static file, which changes with what is in it, so that browsers may keep it."""
    return url_for("static", filename=name, v=_digest(Path(current_app.static_folder or "") / name))


@lru_cache
def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:10]


def _keep_static(response: Response) -> Response:
    if request.endpoint == "static" and "v" in request.args and response.status_code == 200:
        response.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable"
    return response
