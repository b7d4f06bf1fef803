"""The index of messages by terms: the characters of their texts, and what else they are filtered by.

Any combination of conditions is an intersection of terms. What it finds is looked at again by whoever asked: two terms
may share a number, and a message may have changed since it was indexed.

The range of ids is cut into buckets of so many messages, and a term is another one in each: where one is frequent, the
newest bucket has enough of it, and nothing is sorted out of millions. PostgreSQL keeps arrays under GIN, SQLite
documents without their content in FTS5, numbered as the messages are.
"""

from .entries import add, apart, forget, index, indexed_up_to, is_behind, tidy
from .finding import ids
from .terms import INDEXED, terms_for

__all__ = ["INDEXED", "add", "apart", "forget", "ids", "index", "indexed_up_to", "is_behind", "terms_for", "tidy"]
