"""The address of the page that is shown, with some of its parameters changed: how it is led on from there."""

from urllib.parse import quote, urlencode

from flask import current_app, request


def with_query(**changed: object) -> str:
    """The page's address with these parameters besides its own; None takes one away.

    It is put together by hand: a framework's function would take some names of parameters for its own options.
    """
    kept: dict[str, object] = {name: value for name, value in request.args.items() if value}
    told = {name: value for name, value in {**kept, "done": None, **changed}.items() if value is not None}
    return quote(_page()) + (f"?{urlencode(told)}" if told else "")


def _page() -> str:
    """The path of what is shown. The address of a form, which nobody can look at, is beneath that of its page."""
    path = request.path
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    return path if adapter.test(path, "GET") else path.rpartition("/")[0]
