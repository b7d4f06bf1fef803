"""A gateway that we did not write pushes into the receiver: Kannel's sms-service, as its users set it up."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from receiver.store.store import Store
from receiver.store.tables import messages, optouts
from tests.kannel.kannel import Kannel, KannelFailed
from tests.serving import Server

pytestmark = pytest.mark.kannel

SERVICE = "10690000"
PHONES = [f"1540000000{digit}" for digit in range(10)]

# Text as the network hands it over (fakesmsc's form, content), text as it must be stored, kind.
CHINESE = ("text", "你好，明天的课还上吗？", "你好，明天的课还上吗？", "reply")
SHORT_CHINESE = ("text", "停", "停", "reply")
PUNCTUATION = ("text", "100% sure? a&b=c+d #1", "100% sure? a&b=c+d #1", "reply")
GBK_BYTES = ("data", "%CD%CB%B6%A9", "退订", "reply")
EMOJI = ("text", "好的😀", "好的😀", "reply")
STOP = ("text", "0000", "0000", "unsubscribe")
WIDE_STOP = ("text", "００００", "００００", "unsubscribe")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(f"sqlite:///{tmp_path / 'receiver.db'}", tmp_path) as server:
        yield server


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    store = Store(server.database_url, pooled=False)
    yield store
    store.close()


def stored_more_than(store: Store, number: int) -> Callable[[], bool]:
    def condition() -> bool:
        with store.reading() as connection:
            return (connection.scalar(select(func.count()).select_from(messages)) or 0) > number

    return condition


@pytest.mark.parametrize(
    ("charset", "texts"),
    [
        (None, [CHINESE, SHORT_CHINESE, PUNCTUATION, GBK_BYTES, EMOJI, STOP, WIDE_STOP]),
        ("GBK", [CHINESE, SHORT_CHINESE, PUNCTUATION, GBK_BYTES, STOP, WIDE_STOP]),
    ],
    ids=["utf-8", "gbk"],
)
def test_what_phones_send_through_kannel_is_stored_and_0000_stops_with_no_sms_in_answer(
    server: Server, store: Store, tmp_path: Path, charset: str | None, texts: list[tuple[str, str, str, str]]
) -> None:
    printed = ""
    with Kannel(tmp_path, server.url, charset=charset) as kannel:
        for number, (form, sent, _, _) in enumerate(texts):
            printed += kannel.deliver(PHONES[number], SERVICE, sent, stored_more_than(store, number), form=form)
        kannel.finish()
        status = kannel.status()

    with store.reading() as connection:
        rows = connection.execute(select(messages).order_by(messages.c.id)).all()
        opted_out = set(connection.scalars(select(optouts.c.phone)))
    assert [(row.src, row.dst, row.text, row.kind) for row in rows] == [
        (f"+86{PHONES[number]}", SERVICE, text, kind) for number, (_, _, text, kind) in enumerate(texts)
    ]
    assert opted_out == {f"+86{PHONES[number]}" for number, text in enumerate(texts) if text in (STOP, WIDE_STOP)}
    assert f"SMS: received {len(texts)} (0 queued), sent 0 (0 queued)" in status
    assert "sent message 1" in printed
    assert "Got message" not in printed


def test_one_person_is_one_subscriber_in_every_form_that_kannel_hands_over(
    server: Server, store: Store, tmp_path: Path
) -> None:
    with Kannel(tmp_path, server.url) as kannel:
        for number, phone in enumerate(("15400000001", "+8615400000001", "8615400000001", "008615400000001")):
            kannel.deliver(phone, SERVICE, "0000", stored_more_than(store, number))
    with store.reading() as connection:
        assert connection.scalars(select(messages.c.src)).all() == ["+8615400000001"] * 4
        assert connection.scalars(select(optouts.c.phone)).all() == ["+8615400000001"]


def test_the_instrument_sees_an_sms_in_answer_where_kannel_is_set_up_to_send_one(
    server: Server, store: Store, tmp_path: Path
) -> None:
    """With ``max-messages = 1`` the page's answer goes to the phone: what the first test would see."""
    with Kannel(tmp_path, server.url, max_messages=1) as kannel:
        printed = kannel.deliver(PHONES[0], SERVICE, "你好", lambda: "sent 1 (0 queued)" in kannel.status())
    assert f"Got message 1: <{SERVICE} {PHONES[0]} text 0>" in printed


def test_a_missing_kannel_is_a_failure_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.kannel.kannel._FAKESMSC", tmp_path / "nowhere")
    with pytest.raises(KannelFailed, match="apt-get install kannel kannel-extras"):
        Kannel(tmp_path, "http://127.0.0.1:8000/recv.asp")
