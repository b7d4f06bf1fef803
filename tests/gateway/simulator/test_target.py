"""The simulator fires at this machine alone, unless a person says otherwise."""

import pytest

from receiver.gateway.simulator.target import Target, UnusableTarget


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/recv.asp", "http://127.8.9.1/", "http://[::1]:8000/recv.asp"])
def test_a_loopback_address_is_a_target(url: str) -> None:
    assert Target.of(url).path.startswith("/")


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000/recv.asp", "http://0.0.0.0:8000/", "http://[2001:db8::1]/"])
def test_another_machine_is_refused_unless_allowed(url: str) -> None:
    with pytest.raises(UnusableTarget, match="--allow-remote"):
        Target.of(url)
    assert Target.of(url, allow_remote=True).address in url


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:x/", "http://[::1/"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UnusableTarget, match="is no URL"):
        Target.of(url)


def test_a_target_has_what_a_request_needs() -> None:
    target = Target.of("http://127.0.0.1:8000/a token/recv.asp?x=1")
    assert (target.host, target.address, target.port) == ("127.0.0.1:8000", "127.0.0.1", 8000)
    assert target.path == "/a%20token/recv.asp?x=1"
    assert Target.of("https://[::1]").port == 443
    assert Target.of("https://[::1]").server_name == "::1"


def test_a_token_joins_the_url() -> None:
    target = Target.of("http://127.0.0.1/recv.asp")
    assert target.with_token("a-token").path == "/recv.asp?token=a-token"
    assert target.with_token("a").with_token("b").path == "/recv.asp?token=a&token=b"
    assert target.with_token(None) == target
