"""Statements that read messages: one, a page of a list by any filters, or all that match as a stream."""

from .filter import Filter, matching
from .reading import COLUMNS, FIELDS, count, get, page, stream

__all__ = ["COLUMNS", "FIELDS", "Filter", "count", "get", "matching", "page", "stream"]
