"""The account in the console: its balance without waiting, how it goes in the background, and its password unseen."""

import time
from collections.abc import Iterator

import pytest

from receiver.access.roles import Role
from receiver.gateway.simulator.gateway import Fault, Kind, Page, SimulatedGateway
from receiver.worker.lease import Leases
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.sending import ACCOUNT, console_with_gateway
from tests.admin.console.visitor import Visitor

NEW = "n3w-Secret!"


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Admin, SimulatedGateway]]:
    with console_with_gateway(tmp_path_factory.mktemp("gateway"), TIMEOUT="3") as started:
        yield started


@pytest.fixture(scope="module")
def admin(beside: tuple[Admin, SimulatedGateway]) -> Admin:
    return beside[0]


@pytest.fixture(scope="module")
def gateway(beside: tuple[Admin, SimulatedGateway]) -> SimulatedGateway:
    return beside[1]


def test_the_balance_comes_after_the_page_and_a_silent_gateway_holds_nobody_up(
    gateway: SimulatedGateway, log_in: LogIn
) -> None:
    viewer = log_in(Role.VIEWER)
    gateway.faults = [Fault(Kind.TIMEOUT, times=1)]
    began = time.monotonic()
    first, second = viewer.get("/gateway"), viewer.get("/")
    assert "being asked for" in first.words
    assert "being asked for" in second.words, f"asked for once, within {time.monotonic() - began} s"
    while "being asked for" in (told := viewer.get("/gateway/balance")).words:
        time.sleep(0.05)
    assert "did not answer in time" in told.words
    assert "Balance not known" in viewer.get("/").words
    assert "<html" not in told.text
    assert [call.page for call in gateway.calls] == [Page.FEE]
    assert "Change the account" not in viewer.get("/gateway").words


def test_how_pulling_and_sending_go_is_told(admin: Admin, log_in: LogIn) -> None:
    viewer = log_in(Role.VIEWER)
    page = viewer.get("/gateway").words
    assert "Replies are not pulled" in page
    assert "No worker has looked" in page
    leases = Leases(admin.store)
    for name in ("send", f"poll:{ACCOUNT.name}"):
        lease = leases.claim(name, leases.look(name), 60)
        assert lease is not None
        lease.finish(3600, error=f"Refusal: 6013 of {name}")
    for name in ("counts", "ledger"):
        lease = leases.claim(name, leases.look(name), 60)
        assert lease is not None
        lease.finish(3600)
    page = viewer.get("/gateway").words
    assert "Sending does not get on Refusal: 6013 of send The next try is at" in page
    assert "Pulling replies does not get on Refusal: 6013 of poll" in page
    health = viewer.get("/health").words
    assert "It takes writes: sqlite:///" in health
    assert "Sending It failed 1 time one after the other. Refusal: 6013 of send" in health
    assert "Search index No worker has begun with it." in health
    assert "receiver worker tasks" in health


def test_the_password_is_changed_unseen_and_noted(admin: Admin, gateway: SimulatedGateway, log_in: LogIn) -> None:
    boss = log_in(Role.ADMIN)
    boss.get("/gateway")
    assert "not the same password" in boss.post("/gateway/password", password=NEW, again="other").words
    assert boss.post("/gateway/password", password="", again="").status == 422
    for bad in ("1234", "密码密码密码", "a b c d", "x" * 20):
        wrong = boss.post("/gateway/password", password=bad, again=bad)
        assert (wrong.status, "5 to 19" in wrong.words) == (422, True), wrong.words
    assert admin.rows("audit", action="gateway.password.changed") == []
    gateway.faults = [Fault(Kind.ERROR_500, before=True, pages=frozenset([Page.PASSWORD]))]
    doubtful = boss.post("/gateway/password", password=NEW, again=NEW)
    gateway.faults = []
    assert (doubtful.status, "Which password is valid is not known" in doubtful.words) == (502, True)
    told = boss.follow("/gateway/password", password=NEW, again=NEW)
    assert "Store it now in RECEIVER_GATEWAY_PASSWORD" in told.words
    again = boss.post("/gateway/password", password=NEW, again=NEW)
    assert (again.status, "6003" in again.words) == (502, True), "the settings still have the old one"
    noted = [row["detail"] for row in admin.rows("audit", action="gateway.password.changed", target=ACCOUNT.name)]
    assert noted == [{}, {"outcome": "in doubt"}, {}, {}, {"outcome": "not changed"}]
    for shown in (doubtful, told, again):
        assert NEW not in shown.text
    assert NEW not in admin.log
    assert ACCOUNT.password not in admin.log


def test_junk_for_a_password_gives_messages(log_in: LogIn) -> None:
    boss: Visitor = log_in(Role.ADMIN)
    boss.get("/gateway")
    for junk in ("\x00" * 6, "x" * 10_000, "<script>{{7*7}}</script>", "\ufffd" * 8):
        assert boss.post("/gateway/password", password=junk, again=junk).status == 422
