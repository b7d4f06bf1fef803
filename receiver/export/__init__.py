"""Exports: rows as files that people and programs read, the same whoever writes them."""

from .formats import FORMATS
from .streaming import gzipped, joined
from .values import Named, Row

__all__ = ["FORMATS", "Named", "Row", "gzipped", "joined"]
