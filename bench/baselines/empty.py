"""The ceiling: a Flask view that answers ``0`` and stores nothing, under the callback's own server and worker."""

from flask import Flask

from receiver import config
from receiver.observability import configure_logging
from receiver.server import Role


class EmptyApp(Flask):
    """What the callback's worker asks of its application, for one that takes everybody and holds nothing."""

    def expects(self, _peer: str) -> bool:
        return True

    def close(self) -> None:
        pass


class Empty(Role):
    """The callback role with nothing behind it."""

    def load(self) -> Flask:
        app = EmptyApp(__name__, static_folder=None)

        @app.get("/recv.asp")
        def receive() -> str:
            return "0"

        return app


if __name__ == "__main__":
    settings = config.load()
    configure_logging(settings.log_format, settings.log_level, role="empty")
    Empty("callback", settings).run()
