"""What other rooms say, in the page's language: their words as they say them, and nothing left in English of ours."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask

from receiver.admin.console.problems import failure_told
from receiver.admin.console.sends.wording import noted
from receiver.gateway import InDoubt, NotSent, Refusal
from receiver.gateway.client.fields import CODE
from receiver.gateway.sending.expire import DIED
from receiver.gateway.sending.request import reason_of
from receiver.optout.guard import Blocked
from receiver.store.errors import Unavailable
from receiver.vocabulary.register import Source
from receiver.worker.failure import described
from tests.admin.api.every_route import app


@pytest.fixture(scope="module")
def console() -> Flask:
    return app()


@pytest.fixture
def in_chinese(console: Flask) -> Iterator[None]:
    with console.test_request_context(headers={"Cookie": "receiver_locale=zh"}):
        yield


@pytest.mark.usefixtures("in_chinese")
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (NotSent("no connection to 203.0.113.9:80: connection refused"), "无法连接 203.0.113.9:80：连接被拒绝"),
        (InDoubt("gsend.asp: no answer in time"), "gsend.asp: 没有按时应答"),
        (InDoubt(f"the gateway's answer has no {CODE}"), f"网关的应答缺少 {CODE}"),
        (Unavailable("OperationalError: database is locked"), "Unavailable: OperationalError: database is locked"),
        (OSError("[Errno 7] what a system says"), "OSError: [Errno 7] what a system says"),
    ],
)
def test_a_recorded_failure_is_told_in_the_language_of_the_page_and_foreign_words_stay(
    failure: Exception, told: str
) -> None:
    assert failure_told(described(failure)) == told


@pytest.mark.usefixtures("in_chinese")
def test_a_refusal_is_told_by_its_code(console: Flask) -> None:
    refused = Refusal(6003)
    for told in (failure_told(described(refused)), noted(f"not tried: {refused}")):
        assert "6003" in told
        assert refused.meaning.chinese in told
        assert refused.meaning.advice_chinese in told
        assert refused.meaning.english not in told
    assert "接收程序出错：KeyError" in failure_told("KeyError in receiver.worker.runner:12")
    assert noted(DIED).startswith("发送进程")
    assert failure_told("1,234 pulled since this poller started; 2 waiting in /x/spool") == (
        "本次启动以来已拉取 1,234 条; 2 条在 /x/spool 中等待"
    )


@pytest.mark.usefixtures("in_chinese")
def test_why_somebody_was_left_out_is_told_with_the_time_where_whoever_looks_lives() -> None:
    blocked = Blocked("13900000001", "+8613900000001", datetime(2026, 6, 3, 17, 5, tzinfo=UTC), Source.MANUAL, None)
    assert noted(reason_of(blocked)) == "自 2026-06-04 01:05 起已退订：人工录入"
