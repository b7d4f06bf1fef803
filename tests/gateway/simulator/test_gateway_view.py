"""The page that shows what phones would see."""

from collections.abc import Iterator
from html import unescape

import pytest

from receiver.gateway.simulator.gateway import SimulatedGateway
from tests.callback.raw import Response, ask, get

from .asking import LOGIN, Clock, answer, port


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(clock=clock) as gateway:
        yield gateway


def page(gateway: SimulatedGateway) -> Response:
    return ask(port(gateway), get(b"/"))


def bubbles(gateway: SimulatedGateway) -> list[str]:
    return [item.partition("</li>")[0] for item in page(gateway).body.decode().split("<li ")[1:]]


def test_an_empty_page_says_so(gateway: SimulatedGateway) -> None:
    body = page(gateway).body.decode()
    assert "还没有短信" in body
    assert gateway.url in body


def test_texts_and_replies_are_shown_newest_first(gateway: SimulatedGateway, clock: Clock) -> None:
    for text in (b"first", b"second"):
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&sender=12&msg=" + text)
        clock.forward(1)
    gateway.put_reply("13900000001", "1069000012", "第三")
    third, second, first = bubbles(gateway)
    assert 'class="reply"' in third
    assert "第三" in third
    assert "【演示】</span>second" in second
    assert all(part in first for part in ("first", "1069000012", "13900000001", "03-01 20:00:00"))


def test_of_two_texts_of_the_same_moment_the_later_call_is_the_newer(gateway: SimulatedGateway) -> None:
    for text in (b"first", b"second"):
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=" + text)
    second, first = bubbles(gateway)
    assert ("second" in second, "first" in first) == (True, True)


def test_a_text_that_waits_is_marked_until_its_time(gateway: SimulatedGateway, clock: Clock) -> None:
    answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=hi&time=202701010900")
    (waiting,) = bubbles(gateway)
    assert "定时，未到" in waiting
    assert "2027-01-01 09:00:00" in waiting
    clock.forward(400 * 86_400)
    (come,) = bubbles(gateway)
    assert ("定时 " in come, "未到" in come) == (True, False)


def test_what_went_wrong_stands_out(gateway: SimulatedGateway) -> None:
    gateway.put_reply("13900000001", "10690000", "0000")
    answer(gateway, b"readsms.asp")
    answer(gateway, b"readsms.asp")
    assert page(gateway).body.decode().count('<div class="wrong">') == 1
    answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=hi")
    assert page(gateway).body.decode().count('<div class="wrong">') == 2
    assert "此人已退订" in "".join(bubbles(gateway))


def test_no_text_is_taken_for_html(gateway: SimulatedGateway) -> None:
    text = "<script>alert('1')</script>&amp;\x00"
    gateway.put_reply("<b>", "<i>", text)
    answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=%3Cimg+src=x%3E")
    body = page(gateway).body.decode()
    assert not any(tag in body for tag in ("<script", "<img", "<b>", "<i>", "\x00"))
    assert "<script>alert('1')</script>&amp;␀" in unescape(body)


def test_the_page_may_load_its_style_and_nothing_else(gateway: SimulatedGateway) -> None:
    assert page(gateway).header("Content-Security-Policy") == ["default-src 'none'; style-src 'self'"]
    style = ask(port(gateway), get(b"/gateway.css"))
    assert (style.status, style.header("Content-Type")) == (200, ["text/css; charset=utf-8"])


@pytest.mark.parametrize("path", [b"/nothing", b"/send/", b"/send/nothing.asp", b"/gsend.asp", b"/../values.py"])
def test_there_is_nothing_else(gateway: SimulatedGateway, path: bytes) -> None:
    assert ask(port(gateway), get(path)).status == 404


def test_no_password_is_on_the_page(gateway: SimulatedGateway) -> None:
    assert b"demo123" not in page(gateway).body
