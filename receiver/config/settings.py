"""Every setting: its name, its default, what it means, and what is refused before anything starts."""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from receiver.vocabulary import MANDATORY_KEYWORD, Charset, Reading, keyword_set

from .kinds import Networks, Rate, Words

PREFIX = "RECEIVER_"
# Seconds for what a worker does besides calling the gateway.
_WORKER_DRAIN = 20.0


class Settings(BaseSettings):
    """Every setting, with its default; each is an environment variable with the prefix ``RECEIVER_``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: str = Field(
        "", description="SQLite by default; postgresql+psycopg://user:password@host/name in production"
    )
    data_dir: Path = Field(Path("var"), description="folder of the SQLite database and of the spool")
    callback_bind: str = Field("0.0.0.0:8000", description="host:port where the gateway's requests come in")
    admin_bind: str = Field("127.0.0.1:8001", description="host:port of the console and the JSON API")
    callback_metrics_bind: str | None = Field(
        None, description="host:port where monitoring asks the callback for metrics; nobody else should reach it"
    )
    worker_metrics_bind: str | None = Field(None, description="the same of a worker")
    callback_path: str = Field("/recv.asp", description="path that the gateway requests")
    callback_token: SecretStr | None = Field(
        None, description="secret that the gateway must send as ?token= or as /<token>/recv.asp"
    )
    allowed_sources: Networks = Field(
        ["127.0.0.0/8", "::1"],
        validate_default=True,
        description="addresses or networks that may call the callback, comma-separated",
    )
    trusted_proxies: Networks = Field(
        [], description="addresses or networks whose X-Forwarded-For is believed, comma-separated"
    )
    charset: Charset = Field(Charset.AUTO, description="of the replies: auto, utf-8 or gb18030")
    default_region: str = Field("CN", description="whose numbers come without a country code (ISO 3166, two letters)")
    unsubscribe_keywords: Words = Field(
        [MANDATORY_KEYWORD], description="texts that unsubscribe, comma-separated; 0000 always does"
    )
    duplicate_window: int = Field(
        120, ge=0, le=86_400, description="seconds within which a same reply is flagged as a duplicate"
    )
    ack_timeout: float = Field(5, gt=0, le=60, description="seconds that a reply may wait for the database")
    max_waiting: int = Field(
        2_000, ge=1, le=100_000, description="replies that may wait at once; one more is answered -4"
    )
    spool_max_mb: int = Field(
        1_024, ge=1, le=1_000_000, description="MB of replies that may wait on disk for a database that is away"
    )
    spool_min_free_mb: int = Field(200, ge=0, le=1_000_000, description="MB of the disk that they leave free")
    callback_processes: int = Field(
        1, ge=1, le=64, description="processes that receive; more than one needs PostgreSQL"
    )
    gateway_url: str = Field(
        "http://203.81.21.34/send/", description="base address of the gateway's calls, gsend.asp and the others"
    )
    gateway_name: str | None = Field(None, description="the enterprise's login at the gateway")
    gateway_password: SecretStr | None = Field(None, description="its password")
    gateway_charset: Literal["gb18030", "gbk", "utf-8"] = Field(
        "gb18030", description="how the gateway writes, and is written to: gb18030, gbk or utf-8"
    )
    gateway_method: Literal["auto", "post", "get"] = Field(
        "auto", description="post, get (the gateway's logs then hold the password), or auto: post where it is taken"
    )
    gateway_timeout: float = Field(
        30, ge=1, le=300, description="seconds for a call to the gateway in all; a send without an answer is in doubt"
    )
    poll: bool = Field(False, description="pull replies from the gateway with readsms.asp: on or off")
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days after which what came in and was sent is purged; stops' proofs never are",
    )
    rate_limit_key: Rate = Field("600/minute", description="API requests of one key, like 600/minute, or off")
    rate_limit_address: Rate = Field("1200/minute", description="API requests of one address, or off")
    rate_limit_failures: Rate = Field(
        "30/minute", description="API requests without a valid key of one address, or off"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, json elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @field_validator("callback_path")
    @classmethod
    def _absolute_path(cls, value: str) -> str:
        plain = value.isascii() and value.isprintable() and not any(char in value for char in "?#<>% ")
        if not value.startswith("/") or not plain or value in ("/healthz", "/readyz"):
            raise ValueError("write a path that starts with /, in plain letters and without a query, like /recv.asp")
        return value

    @field_validator("callback_bind", "admin_bind", "callback_metrics_bind", "worker_metrics_bind")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, colon, port = value.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65_535):
            raise ValueError("write host:port, for example 0.0.0.0:8000")
        return value

    @field_validator("gateway_url")
    @classmethod
    def _base_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or "@" in value or "?" in value or "#" in value or not value.isascii() or " " in value:
            raise ValueError("write the folder of the gateway's pages, like http://203.81.21.34/send/")
        return value if value.endswith("/") else value + "/"

    @field_validator(
        "gateway_name", "gateway_password", "retention_days", "callback_metrics_bind", "worker_metrics_bind",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _none_where_empty(cls, value: Any) -> Any:
        return value or None

    @field_validator("callback_token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        token = value.get_secret_value()
        if not (8 <= len(token) <= 200 and token.isascii() and all(char.isalnum() or char in "-._~" for char in token)):
            raise ValueError("use 8 to 200 letters, digits, - . _ or ~, so that it needs no escaping in a URL")
        return value

    @field_validator("default_region")
    @classmethod
    def _region(cls, value: str) -> str:
        if not (len(value) == 2 and value.isascii() and value.isalpha()):
            raise ValueError("write a two-letter country code, for example CN")
        if value.upper() != "CN":
            from phonenumbers import SUPPORTED_REGIONS  # slow to import, and CN it nearly always is

            if value.upper() not in SUPPORTED_REGIONS:
                raise ValueError(f"{value} is no country's two-letter code; write for example CN")
        return value.upper()

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: str) -> str:
        return value.lower()

    @field_validator("database_url")
    @classmethod
    def _supported(cls, value: str) -> str:
        if value.startswith(("postgresql://", "postgres://")):
            return "postgresql+psycopg://" + value.partition("://")[2]
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("use sqlite:///<file> or postgresql+psycopg://user:password@host/name")
        if value.startswith("sqlite:") and (value == "sqlite:///" or ":memory:" in value or "mode=memory" in value):
            raise ValueError("name a file, like sqlite:////var/lib/receiver/receiver.db: memory would lose every reply")
        return value

    @model_validator(mode="after")
    def _one_writer(self) -> "Settings":
        if self.callback_processes > 1 and self.url.startswith("sqlite"):
            raise ValueError(f"{PREFIX}CALLBACK_PROCESSES above 1 needs PostgreSQL: set {PREFIX}DATABASE_URL")
        return self

    @model_validator(mode="after")
    def _ports_apart(self) -> "Settings":
        taken: dict[str, str] = {}
        for name in ("callback_bind", "admin_bind", "callback_metrics_bind", "worker_metrics_bind"):
            bind = getattr(self, name)
            port = bind.rpartition(":")[2] if bind else None
            if port in taken:
                raise ValueError(f"{PREFIX}{taken[port]} and {PREFIX}{name.upper()} need two different ports")
            if port:
                taken[port] = name.upper()
        return self

    @model_validator(mode="after")
    def _pollable(self) -> "Settings":
        if self.poll and not (self.gateway_name and self.gateway_password):
            raise ValueError(f"{PREFIX}POLL=on needs {PREFIX}GATEWAY_NAME and {PREFIX}GATEWAY_PASSWORD")
        return self

    @property
    def worker_drain(self) -> float:
        """Seconds that a worker may take to end. A call that hands out a reply is never broken off: it would be lost.

        The first one asks for the balance before.
        """
        return _WORKER_DRAIN + (2 * self.gateway_timeout if self.gateway_name else 0)

    @property
    def callback_url_here(self) -> str:
        """Where this machine reaches the callback, without its token."""
        return f"http://{_reached_at(self.callback_bind)}{self.callback_path}"

    @property
    def admin_url_here(self) -> str:
        """Where this machine reaches the console, without a slash at the end."""
        return f"http://{_reached_at(self.admin_bind)}"

    @cached_property
    def reading(self) -> Reading:
        """How this installation reads what comes."""
        has_token = self.callback_token is not None
        return Reading(self.charset, self.default_region, keyword_set(self.unsubscribe_keywords), has_token)

    @cached_property
    def url(self) -> str:
        """The database's URL, with the default worked out."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'receiver.db'}"


def _reached_at(bind: str) -> str:
    host, _, port = bind.rpartition(":")
    everywhere = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
    return f"{everywhere.get(host, host)}:{port}"
