"""Logs hold no local variable of what failed, which would be phones, texts and passwords, and no forged line."""

import logging
from collections.abc import Iterator

import pytest

from receiver.observability import configure_logging


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fails() -> None:
    text = "a text of somebody's"
    raise ValueError(len(text))


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_local_variable(
    log_format: str, restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format, "info")
    try:
        fails()
    except ValueError:
        logging.getLogger("receiver").exception("it failed")
    said = capsys.readouterr().err
    assert "it failed" in said
    assert "ValueError: 20" in said
    assert "somebody's" not in said.replace('text = "a text of somebody\'s"', "")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_whatever_is_logged_is_one_line_that_no_terminal_obeys(
    log_format: str, restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format, "info")
    logging.getLogger("test").warning("said: %s", "a\r\nb\x1b[2Jc\u2028d\u202ee\x9bf 你好")
    (line,) = capsys.readouterr().err.splitlines()
    assert not set("\x1b\u2028\u202e\x9b") & set(line)
    assert "你好" in line
