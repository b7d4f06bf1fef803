"""Health: each part as a plain statement, and what to do about one that is not well."""

from flask import render_template

from receiver.access.roles import Permission
from receiver.worker.health import Level, health

from ..parts import parts
from .routes import Pages

pages = Pages("health")


@pages.get("/health", needs=Permission.SEE)
def show() -> str:
    held = parts()
    found = health(held.settings, held.store)
    return render_template(
        "console/health.html",
        found=found,
        unwell=[each for each in found if each.level is not Level.GOOD],
        database=held.store.description,
    )
