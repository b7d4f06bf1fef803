"""``receiver config``."""

from pathlib import Path
from typing import Any

import pytest

from receiver.cli.config import without_password
from receiver.config import Settings
from tests.cli.conftest import Run, on_terminal


def _by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["name"].removeprefix("RECEIVER_"): row for row in rows}


def test_every_setting_is_told_with_its_source(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RECEIVER_CHARSET=gb18030\nRECEIVER_ACK_TIMEOUT=7\n")
    (tmp_path / "token").write_text("from-a-file\n")
    monkeypatch.setenv("RECEIVER_ACK_TIMEOUT", "9")
    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN_FILE", str(tmp_path / "token"))
    ran = run("config")
    assert (ran.status, ran.err) == (0, "")
    settings = _by_name(ran.rows)
    assert list(settings) == [name.upper() for name in Settings.model_fields]
    assert all(row["description"] for row in settings.values())
    told = {name: (row["value"], row["source"]) for name, row in settings.items()}
    assert told["CHARSET"] == ("gb18030", ".env")
    assert told["ACK_TIMEOUT"] == ("9.0", "environment")
    assert told["CALLBACK_TOKEN"] == ("********", f"file {tmp_path / 'token'}")
    assert told["CALLBACK_PATH"] == ("/recv.asp", "default")
    assert told["DATABASE_URL"] == (f"sqlite:///{tmp_path / 'var' / 'receiver.db'}", "default")
    assert "from-a-file" not in ran.out


URLS = [
    ("postgresql+psycopg://me:s3cret@host:5432/db", "postgresql+psycopg://me:********@host:5432/db"),
    ("postgresql+psycopg://me:s3cret@host@host/db", "postgresql+psycopg://me:********@host/db"),
    ("postgresql+psycopg://me:s3/c:ret@host/db", "postgresql+psycopg://me:********@host/db"),
    ("postgresql+psycopg://:s3cret@host/db", "postgresql+psycopg://:********@host/db"),
    ("postgresql+psycopg://me@host/db", "postgresql+psycopg://me@host/db"),
    ("postgresql+psycopg://host/db?user=me&password=s3cret&x=1", "postgresql+psycopg://host/db?user=me&password=********&x=1"),
    ("sqlite:////var/lib/receiver.db", "sqlite:////var/lib/receiver.db"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "shown"), URLS, ids=[url for url, _ in URLS])
def test_the_password_in_a_url_is_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("chosen", ["table", "json", "csv"])
def test_no_secret_is_printed_in_any_format(chosen: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgres://me:s3cret@db.example/receiver")
    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN", "t0ken-t0ken")
    ran = run("config", "--format", chosen)
    assert ran.status == 0
    assert "db.example" in ran.out
    assert not {"s3cret", "t0ken-t0ken"} & set(ran.out.replace(":", " ").replace("@", " ").split())
    assert "s3cret" not in ran.out
    assert "t0ken" not in ran.out


def test_a_slip_is_warned_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_CHARSETT", "utf-8")
    ran = run("config")
    assert ran.status == 0
    assert ran.err == "Warning: RECEIVER_CHARSETT is no setting; did you mean RECEIVER_CHARSET?\n"
    assert len(ran.rows) == len(Settings.model_fields)


def test_settings_that_cant_be_used_are_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_CHARSET", "latin-1")
    ran = run("config")
    assert (ran.status, ran.out) == (2, "")
    assert "RECEIVER_CHARSET" in ran.err


def test_a_terminal_gets_a_table() -> None:
    said = on_terminal(["config"], columns=160).out
    assert "setting" in said.splitlines()[0]
    assert "RECEIVER_ALLOWED_SOURCES" in said
    assert "{" not in said
