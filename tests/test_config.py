"""Settings: what is accepted, and what is said about what is not."""

from pathlib import Path

import pytest

from receiver import config


@pytest.fixture(autouse=True)
def _no_other_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(config.PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_an_embedded_installation(tmp_path: Path) -> None:
    settings = config.load()

    assert settings.url == f"sqlite:///{tmp_path / 'var' / 'receiver.db'}"
    assert settings.callback_bind == "0.0.0.0:8000"
    assert settings.admin_bind == "127.0.0.1:8001"
    assert settings.callback_path == "/recv.asp"
    assert [str(network) for network in settings.allowed_sources] == ["127.0.0.0/8", "::1/128"]
    assert settings.duplicate_window == 120
    assert settings.unsubscribe_keywords == ["0000"]
    assert (settings.rate_limit_key, settings.rate_limit_failures) == ("600/minute", "30/minute")


def test_nothing_is_purged_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load().retention_days is None
    monkeypatch.setenv("RECEIVER_RETENTION_DAYS", "")
    assert config.load().retention_days is None
    monkeypatch.setenv("RECEIVER_RETENTION_DAYS", "90")
    assert config.load().retention_days == 90


def test_a_rate_may_be_written_with_spaces_or_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_RATE_LIMIT_KEY", "10 / Second")
    monkeypatch.setenv("RECEIVER_RATE_LIMIT_ADDRESS", "Off")
    settings = config.load()
    assert (settings.rate_limit_key, settings.rate_limit_address) == ("10/second", "off")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ALLOWED_SOURCES", "203.81.21.34,gateway", "gateway"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/99"),
        ("CHARSET", "latin-1", "utf-8"),
        ("DEFAULT_REGION", "China", "two-letter"),
        ("DUPLICATE_WINDOW", "-1", "greater than or equal to 0"),
        ("DUPLICATE_WINDOW", "soon", "integer"),
        ("CALLBACK_METRICS_BIND", "9801", "host:port"),
        ("WORKER_METRICS_BIND", "127.0.0.1:port", "host:port"),
        ("RETENTION_DAYS", "0", "greater than or equal to 1"),
        ("RETENTION_DAYS", "-7", "greater than or equal to 1"),
        ("RETENTION_DAYS", "40000", "less than or equal to 36500"),
        ("RETENTION_DAYS", "1.5", "integer"),
        ("RETENTION_DAYS", "for ever", "integer"),
        ("ACK_TIMEOUT", "0", "greater than 0"),
        ("CALLBACK_BIND", "8000", "host:port"),
        ("CALLBACK_BIND", "0.0.0.0:99999", "host:port"),
        ("CALLBACK_PATH", "recv.asp", "starts with /"),
        ("CALLBACK_PATH", "/healthz", "starts with /"),
        ("CALLBACK_TOKEN", "short", "8 to 200"),
        ("CALLBACK_TOKEN", "with spaces in it", "8 to 200"),
        ("DATABASE_URL", "mysql://localhost/x", "postgresql+psycopg://"),
        ("CALLBACK_PROCESSES", "2", "PostgreSQL"),
        ("RATE_LIMIT_KEY", "600", "600/minute"),
        ("RATE_LIMIT_ADDRESS", "0/minute", "600/minute"),
        ("RATE_LIMIT_FAILURES", "5/fortnight", "off"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(config.PREFIX + name, value)

    with pytest.raises(config.ConfigurationError) as refused:
        config.load()

    assert config.PREFIX + name in str(refused.value)
    assert says in str(refused.value)


def test_a_bad_token_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN", "my secret")

    with pytest.raises(config.ConfigurationError) as refused:
        config.load()

    assert "my secret" not in str(refused.value)


def test_settings_come_from_the_env_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("RECEIVER_DUPLICATE_WINDOW=30\nRECEIVER_CHARSET=gb18030\n")
    monkeypatch.setenv("RECEIVER_CHARSET", "utf-8")

    settings = config.load()

    assert settings.duplicate_window == 30
    assert settings.charset == "utf-8"


def test_a_secret_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-long-token\n")
    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN_FILE", str(secret))

    token = config.load().callback_token

    assert token is not None
    assert token.get_secret_value() == "a-long-token"
    assert "a-long-token" not in repr(config.load())


def test_a_secret_given_twice_or_in_no_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(config.ConfigurationError, match="can't read"):
        config.load()

    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN", "a-long-token")
    with pytest.raises(config.ConfigurationError, match="both set"):
        config.load()


def test_the_plain_form_of_a_postgresql_url_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgres://someone:secret@db/receiver")

    assert config.load().url == "postgresql+psycopg://someone:secret@db/receiver"


def test_a_slip_in_a_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_ALOWED_SOURCES", "10.0.0.1")

    assert config.unknown() == ["RECEIVER_ALOWED_SOURCES is no setting; did you mean RECEIVER_ALLOWED_SOURCES?"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DEFAULT_REGION", "ZZ", "no country"),
        ("CALLBACK_PATH", "/中", "plain letters"),
        ("DATABASE_URL", "sqlite:///:memory:", "name a file"),
        ("ADMIN_BIND", "127.0.0.1:8000", "two different ports"),
    ],
)
def test_a_setting_that_would_lose_replies_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(config.PREFIX + name, value)

    with pytest.raises(config.ConfigurationError, match=says):
        config.load()


def test_the_env_file_may_name_a_secrets_file_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-long-token\n")
    (tmp_path / ".env").write_text("RECEIVER_CALLBACK_TOKEN_FILE=token\nRECEIVER_CHARSETT=utf-8\n")

    token = config.load().callback_token

    assert token is not None
    assert token.get_secret_value() == "a-long-token"
    assert config.unknown() == ["RECEIVER_CHARSETT is no setting; did you mean RECEIVER_CHARSET?"]


def test_an_env_file_that_is_no_utf_8_is_said_so(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("RECEIVER_CALLBACK_PATH=/接收".encode("gbk"))

    with pytest.raises(config.ConfigurationError, match="UTF-8"):
        config.load()


@pytest.mark.parametrize("timeout", [1, 30, 300])
def test_a_worker_may_take_as_long_to_end_as_its_longest_calls(monkeypatch: pytest.MonkeyPatch, timeout: int) -> None:
    monkeypatch.setenv("RECEIVER_GATEWAY_TIMEOUT", str(timeout))
    assert config.load().worker_drain == 20
    monkeypatch.setenv("RECEIVER_GATEWAY_NAME", "demo")
    assert config.load().worker_drain > 2 * timeout
