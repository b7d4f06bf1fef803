"""The pages about sends, as one subject."""

from ..routes import Pages

pages = Pages("sends")
