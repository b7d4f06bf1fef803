"""The web roles as gunicorn servers: each with its own worker class, and logs that hold no request."""

import logging
import socket
import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from receiver import create_admin_app, create_callback_app, tally
from receiver.config import Settings
from receiver.observability import configure_logging, place_of
from receiver.store.store import Store

# Seconds for what was accepted to be answered after SIGTERM.
DRAIN_SECONDS = 20
# Streams of messages that one admin process holds open (receiver.admin.tail).
MOST_STREAMS = 32
# Bytes of a request line of the admin side: as many as gunicorn takes.
LONGEST_LINE = 8_190
# Connections of one callback process. More wait in the kernel's backlog.
CONNECTIONS = 4_000


class PropagatingLogger(Logger):
    """Gunicorn's messages through our own handlers. No access log: it would hold phones and texts."""

    def setup(self, cfg: Any) -> None:
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
        self.access_log.propagate = False

    def access(self, *_: Any) -> None:
        pass

    def exception(self, msg: Any, *_: Any, **__: Any) -> None:
        # Gunicorn adds the address of the request, and a traceback that ends with the words of the error.
        error = sys.exc_info()[1]
        told = f"{type(error).__name__} in {place_of(error)}" if error is not None else "?"
        self.error_log.error("%s: %s", str(msg).partition(" %s")[0], told)

    def reopen_files(self) -> None:
        pass


class Role(BaseApplication):
    """One web role; ``run`` serves until SIGTERM, then drains."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.callback_path = settings.callback_path
        self._told_at: socket.socket | None = None
        super().__init__()

    def load_config(self) -> None:
        role = self._callback() if self.name == "callback" else self._admin()
        hooks = {"pre_fork": self._assign_line, "post_fork": self._begin_process}
        for name, value in {**_COMMON, **role, **hooks}.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        # A worker that is replaced may live beside the one that comes after it.
        tally.begin(2 * self.cfg.workers)
        if self.name == "callback" and self.settings.callback_metrics_bind is not None:
            from receiver.metrics.listener import listening

            self._told_at = listening(self.settings.callback_metrics_bind)
        super().run()

    def _assign_line(self, arbiter: Any, worker: Any) -> None:
        taken = {each.tally_line for each in arbiter.WORKERS.values()}
        worker.tally_line = next(line for line in range(len(taken) + 1) if line not in taken)

    def _begin_process(self, _: Any, worker: Any) -> None:
        tally.join(worker.tally_line)
        tally.PROCESSES.of().add()
        if self._told_at is not None:
            from receiver.metrics.listener import tell
            from receiver.metrics.scrape import of_callback

            tell(self._told_at, lambda: of_callback(self.settings, Store(self.settings.url)))

    def load(self) -> Any:
        if self.name != "callback":
            return create_admin_app(self.settings)
        from receiver.intake.greenlets import Greenlets

        return create_callback_app(self.settings, host=Greenlets())

    def _callback(self) -> dict[str, Any]:
        return {
            "bind": self.settings.callback_bind,
            "workers": self.settings.callback_processes,
            "worker_class": "receiver.callback.worker.CallbackWorker",
            "worker_connections": CONNECTIONS,
            "backlog": 4096,
            "permit_unconventional_http_method": True,
            "casefold_http_method": True,
            # A gateway sends few headers and short ones. The parser reads them anew with every piece that arrives.
            "limit_request_fields": 64,
            "limit_request_field_size": 4_096,
            "proc_name": "receiver-callback",
        }

    def _admin(self) -> dict[str, Any]:
        return {
            "bind": self.settings.admin_bind,
            "workers": 1,
            "worker_class": "receiver.admin.worker.AdminWorker",
            # For pages and calls, and one for each stream that may be open.
            "threads": 8 + MOST_STREAMS,
            "limit_request_line": LONGEST_LINE,
            "proc_name": "receiver-admin",
        }


_COMMON: dict[str, Any] = {
    "logger_class": PropagatingLogger,
    "graceful_timeout": DRAIN_SECONDS,
    "control_socket_disable": True,
    "http_parser": "python",
    # Whom a proxy speaks for, and whether by TLS, is asked of TRUSTED_PROXIES alone. By default gunicorn believes
    # whoever comes from this machine, about the path too.
    "forwarded_allow_ips": "",
    "forwarder_headers": "",
    "keepalive": 10,
}


def serve(name: str, settings: Settings) -> None:
    """Run one web role in this process; returns never."""
    configure_logging(settings.log_format, settings.log_level, role=name)
    Role(name, settings).run()
