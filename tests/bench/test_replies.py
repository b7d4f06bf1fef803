"""The replies that ``bench.search`` is measured on: the same each time, with the words that it asks for."""

from bench.replies import replies, tail_words

_TEXT = 8


def test_words_asked_for_are_those_that_are_written() -> None:
    written = "".join(row[_TEXT] for row in replies(3_000))
    assert all(word in written for word in tail_words()[:50])
