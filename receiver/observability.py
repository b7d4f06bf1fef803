"""Logs: one line per decision, as text for people or JSON for machines, never a phone, text, password or token."""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog

_HOME = Path(__file__).parents[1]


def configure_logging(log_format: str, level: str, role: str | None = None) -> None:
    """Send every log record of the process to stderr. ``log_format``: auto (console on a terminal), console, json."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _as_one_line,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if role is not None:
        shared.append(lambda _logger, _method, event: event | {"role": role})
    renderer: Any
    if console:
        # Its usual tracebacks print every local variable: phones, texts and passwords.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    else:
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)


def begin_request(request_id: str) -> None:
    """Have every line that is logged for the request, which has just come, say its id."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _as_one_line(_logger: Any, _method: str, event: Any) -> Any:
    """What others wrote begins no line of its own, and moves no terminal's cursor."""
    said = str(event["event"])
    if not said.isprintable():
        event["event"] = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in said)
    return event


def place_of(error: BaseException) -> str:
    """Where in our code ``error`` arose, file and line: what may be told of one whose words may be private."""
    ours = "?"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(_HOME / "receiver"):
            ours = f"{path.relative_to(_HOME)}:{frame.lineno}"
    return ours
