"""How a page is registered: with what whoever asks for it must be allowed to do."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from flask import Blueprint

from receiver.access.roles import Permission

_NEEDS = "console_needs"


class Who(StrEnum):
    """For whom a page is that needs no permission of its own."""

    ANYBODY = "anybody"
    """Logged in or not: it shows nothing of anybody's."""
    MEMBER = "member"
    """Whoever is logged in: it is about their own account."""


Needs: TypeAlias = Permission | Who
View = TypeVar("View", bound=Callable[..., Any])


class Pages:
    """The pages of one subject; their endpoints are ``console.<name>.<function>``."""

    def __init__(self, name: str) -> None:
        self.blueprint = Blueprint(name, __name__)

    def get(self, rule: str, *, needs: Needs) -> Callable[[View], View]:
        """A page that is looked at, and changes nothing."""
        return self._route("GET", rule, needs)

    def post(self, rule: str, *, needs: Needs) -> Callable[[View], View]:
        """What a form does. It is answered with a redirection, or with the form and what is wrong in it."""
        return self._route("POST", rule, needs)

    def _route(self, method: str, rule: str, needs: Needs) -> Callable[[View], View]:
        def register(view: View) -> View:
            self.blueprint.add_url_rule(rule, view_func=open_to(needs)(view), methods=[method])
            return view

        return register


def open_to(needs: Needs) -> Callable[[View], View]:
    """Say for whom a view is."""

    def say(view: View) -> View:
        setattr(view, _NEEDS, needs)
        return view

    return say


def needs_of(view: Any) -> Needs | None:
    """What a view was registered with; None for one that was registered otherwise: it is open to nobody."""
    return getattr(view, _NEEDS, None)
