"""Distinctive phones, texts, passwords and tokens go through every way in; no log and no error output has any of them.

Raw, percent-encoded, in GBK, in base64, in hexadecimal, or masked too little: the whole lot is looked for.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from receiver.access import Scope
from receiver.access.people import People
from receiver.access.roles import Role
from receiver.admin.console.cookies import SESSION
from tests.admin.conftest import Admin, running
from tests.admin.console.visitor import PASSWORD, Visitor, somebody
from tests.admin.raw import ask, written
from tests.attacks.conftest import GATEWAY, STRANGER
from tests.callback import raw
from tests.metrics.reading import scraped, values
from tests.processes import run
from tests.serving import Server, free_port

PHONES = [f"1391357{number:04d}" for number in range(2468, 2488)]
TEXT = "蓝色的长颈鹿在唱歌"
LATIN = "zebra-crossing-lullaby"
CALLBACK_TOKEN, GATEWAY_PASSWORD, DATABASE_PASSWORD = "quiet-walrus-token", "brisk-otter-pass", "amber-heron-pass"
WRONG_PASSWORD, NEW_PASSWORD = "wrong-but-near-my-own", "next-year-s-password"
WHY = ("--reason", LATIN, "--actor", "li")
SENDING = ("gateway", "send", "--text", TEXT, "--to", PHONES[18])


def forms(secret: str) -> Iterator[str]:
    """How something may stand in a log without being itself."""
    for encoded in {secret.encode(), secret.encode("gb18030")}:
        yield encoded.decode("latin-1")
        yield encoded.hex()
        yield quote(encoded)
        yield quote(encoded).lower()
        for shift in range(3):  # as the middle of something longer
            whole = base64.b64encode(b"\0" * shift + encoded).decode()
            yield whole[4 if shift else 0 : -4]
    yield secret
    yield quote_plus(secret)
    yield secret.encode("unicode_escape").decode()
    yield secret[1:]
    yield secret[:-1]


def found_in(said: bytes, secrets: Iterable[str]) -> list[str]:
    """Which of the secrets stand in what was said, in whatever form."""
    as_text, as_bytes = said.decode("utf-8", "replace"), said.decode("latin-1")
    found = [
        f"{secret} as {form}"
        for secret in secrets
        for form in {*forms(secret)}
        if len(form) > 6 and (form in as_text or form in as_bytes)
    ]
    for phone in PHONES:  # masked phones show four digits at their end, and three of eleven at their beginning
        found += re.findall(rf"\d*{phone[3:7]}\d*|{phone[:4]}\d*\*+\d*|\d{phone[-5:]}", as_text)
    return found


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str], bytes]:
    """Everything that was logged or told on an error output, what must not be in it, and what monitoring is told."""
    directory = tmp_path_factory.mktemp("private")
    url = f"sqlite:///{directory / 'receiver.db'}"
    env = {
        "RECEIVER_CALLBACK_TOKEN": CALLBACK_TOKEN,
        "RECEIVER_TRUSTED_PROXIES": "127.0.0.1",
        "RECEIVER_ALLOWED_SOURCES": "203.81.21.0/24",
        "RECEIVER_GATEWAY_URL": "http://127.0.0.1:9/send/",
        "RECEIVER_GATEWAY_NAME": "demo",
        "RECEIVER_GATEWAY_PASSWORD": GATEWAY_PASSWORD,
        "RECEIVER_LOG_LEVEL": "debug",
        "RECEIVER_CALLBACK_METRICS_BIND": f"127.0.0.1:{(monitored := free_port())}",
    }
    heard: list[bytes] = []
    secrets = [*PHONES, TEXT, LATIN, CALLBACK_TOKEN, GATEWAY_PASSWORD, DATABASE_PASSWORD, WRONG_PASSWORD, NEW_PASSWORD]
    secrets.append(PASSWORD)
    with Server(url, directory, env) as callback, running(url, directory, env) as admin:
        pushed(callback.port)
        secrets += called(admin)
        secrets += visited(admin)
        heard += commanded(admin, directory)
        admin_metrics = ask(admin.port, written("GET", "/metrics", admin.key(Scope.METRICS_READ).token)).body
        # The database goes from under all of them.
        with admin.store.writing() as transaction:
            transaction.exec_driver_sql("ALTER TABLE messages RENAME TO gone")
            transaction.exec_driver_sql("ALTER TABLE people RENAME TO gone_too")
        pushed(callback.port)
        called(admin)
        heard += commanded(admin, directory, ("messages", "list"), ("optouts", "add", PHONES[15], *WHY), SENDING)
        told = scraped(monitored)[2] + admin_metrics
        callback.terminate()
        heard += [callback.log.encode(), admin.log.encode()]
    unreachable = {**env, "RECEIVER_DATABASE_URL": f"postgresql+psycopg://receiver:{DATABASE_PASSWORD}@127.0.0.1:9/x"}
    for arguments in (("messages", "list"), ("db", "current"), ("config",), ("optouts", "check", PHONES[0])):
        heard.append(run("receiver", *arguments, cwd=directory, env=unreachable).stderr)
    with Server(unreachable["RECEIVER_DATABASE_URL"], directory, unreachable, migrate=False) as callback:
        raw.ask(callback.port, raw.get(f"/recv.asp?{query(0)}&token={CALLBACK_TOKEN}".encode(), GATEWAY))
        heard.append(callback.log.encode())
    return b"\n".join(heard), secrets, told


def query(number: int) -> str:
    return f"src={PHONES[number]}&dst={PHONES[number + 1]}&msg={quote(TEXT.encode('gb18030'))}{LATIN}"


def pushed(port: int) -> None:
    """Replies that are taken, kept, refused, too large, and no HTTP at all."""
    good = f"&token={CALLBACK_TOKEN}"
    for said in (
        query(0) + good,
        query(0).replace("msg=", "msg=0000#") + good,
        f"src={PHONES[1]}&dst=1069&msg=0000{good}",
        query(2).replace("dst", "to") + good,
        query(2).replace("src", "from") + good,
        f"src={PHONES[3]}&{query(4)}{good}",
        query(5),
        query(5) + "&token=almost-" + CALLBACK_TOKEN,
        query(6) + LATIN * 500 + good,
        query(6) + LATIN * 5_000 + good,
    ):
        for who in (GATEWAY, STRANGER):
            raw.ask(port, raw.get(b"/recv.asp?" + said.encode(), who), may_reset=True)
            raw.ask(port, raw.post(f"/{CALLBACK_TOKEN}/recv.asp".encode(), said.encode(), who), may_reset=True)
    for line in (b"G@T /recv.asp?", b"GET /recv.asp\xff?", b"BREW /recv.asp?", b"GET  /recv.asp?"):
        sent = line + query(7).encode() + TEXT.encode() + b" HTTP/1.1\r\n" + GATEWAY + b"\r\n\r\n"
        raw.exchange(port, sent, may_reset=True, half_close=True)


def called(admin: Admin) -> list[str]:
    """Calls of the API that succeed, fail, and can't be read; the keys that came with them."""
    key = admin.key(Scope.ADMIN).token
    near = key[:-3] + "abc"
    phone = PHONES[8]
    targets = (
        ("GET", f"/messages?src={phone}"), ("GET", f"/messages?text={quote(TEXT)}"),
        ("GET", f"/messages?{LATIN}={phone}"), ("GET", f"/messages/{phone}"),
        ("GET", f"/optouts/{phone}"), ("PUT", f"/optouts/{phone}"),
        ("DELETE", f"/optouts/{phone}?reason={LATIN}&actor=li"), ("GET", f"/subscribers/{phone}"),
        ("DELETE", f"/subscribers/{phone}?reason={LATIN}"), ("GET", f"/nowhere/{phone}"), ("BREW", f"/optouts/{phone}"),
        ("POST", "/sms"), ("POST", "/sms/check"), ("POST", "/optouts/check"), ("GET", f"/messages?since={LATIN}"),
        ("GET", f"/messages/export?src={phone}"), ("GET", f"/stats?zone={LATIN}"),
        ("POST", f"/optouts/import?reason={LATIN}"),
    )  # fmt: skip
    bodies = (
        f'{{"text": "{TEXT}", "phones": ["{phone}"]}}',
        f'{{"reason": "{LATIN}", "actor": "li"}}',
        f'{{"phones": ["{phone}"], "{LATIN}": "{phone}"}}',
        f'{{"text": "{TEXT}',
    )
    kind = b"Content-Type: application/json"
    for method, target in targets:
        for body in bodies if method in ("POST", "PUT") else ("",):
            for token in (key, near) if body in ("", bodies[0]) else (key,):
                ask(admin.port, written(method, f"/api/v1{target}", token, body.encode() or None, kind))
    header = f"X-Phone {phone}: {LATIN}".encode()
    ask(admin.port, written("GET", f"/api/v1/messages?src={phone}", key, None, header))
    ask(admin.port, written("GET", f"/api/v1/messages?text={TEXT}".encode(), key))
    return [key.rpartition("_")[2], near.rpartition("_")[2]]


def visited(admin: Admin) -> list[str]:
    """People who log in, fail to, search, send and write nonsense; their cookies and links."""
    somebody(admin.store, Role.ADMIN, "private")
    invitation = People(admin.store).invite("invited", Role.VIEWER, actor="tests").token
    stranger = Visitor(admin.port)
    stranger.log_in("private", WRONG_PASSWORD)
    stranger.log_in(WRONG_PASSWORD, WRONG_PASSWORD)
    stranger.get(f"/welcome/{invitation}")
    stranger.post(f"/welcome/{invitation}", password=WRONG_PASSWORD, again=NEW_PASSWORD)
    stranger.get(f"/nowhere/{PHONES[9]}?text={quote(TEXT)}")
    stranger.get(f"/replies?text={quote(TEXT)}&src={PHONES[9]}")
    visitor = Visitor(admin.port)
    assert visitor.log_in("private").status == 303
    for path in (
        "/",
        f"/replies?text={quote(TEXT)}",
        f"/replies?text={PHONES[9]}",
        f"/replies?since={LATIN}",
        "/audit",
    ):
        visitor.get(path)
    visitor.get("/account")
    for path, fields in (
        ("/account/password", {"old": WRONG_PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}),
        ("/replies/find", {"phone": PHONES[0]}),
        ("/optouts/search", {"phone": PHONES[10]}),
        ("/optouts/add", {"phone": PHONES[10], "reason": LATIN}),
        ("/optouts/import", {"pasted": f"{PHONES[11]}\n{TEXT}\n"}),
        ("/sends/new/preview", {"text": TEXT, "phones": f"{PHONES[12]}\n{LATIN}"}),
        ("/gateway/password", {"password": "new-otter", "again": "new-otter"}),
        ("/people", {"name": LATIN, "role": "viewer"}),
        ("/test-reply", {}),
    ):
        visitor.post(path, **fields)
        visitor.post(path, csrf="none", **fields)
    return [visitor.cookies[SESSION], visitor._csrf, invitation]


def commanded(admin: Admin, directory: Path, *some: tuple[str, ...]) -> list[bytes]:
    """What commands say on their error output, right and wrong: all, or ``some``."""
    listed = directory / "phones.txt"
    listed.write_text(f"phone\n{PHONES[13]}\n{TEXT}\n{PHONES[14]}x\n")
    commands = some or (
        ("messages", "list", "--src", PHONES[0]), ("messages", "list", "--text", TEXT), ("messages", "show", PHONES[0]),
        ("messages", "export", "--format", "csv", "-o", str(directory / "out.csv"), "--force"),
        ("optouts", "check", PHONES[1]), ("optouts", "add", PHONES[15], *WHY),
        ("optouts", "lift", PHONES[16], *WHY), ("optouts", "history", PHONES[1]),
        ("optouts", "import", str(listed), *WHY), ("optouts", "proof", PHONES[17]),
        (*SENDING, "--dry-run"), SENDING, ("gateway", "check", TEXT), ("gateway", "balance"),
        ("quarantine", "list"), ("users", "list"), ("keys", "list"), ("config",), ("optouts", "verify"),
    )  # fmt: skip
    env = {**admin.server.env, "RECEIVER_GATEWAY_TIMEOUT": "1"}
    return [run("receiver", *arguments, cwd=directory, env=env).stderr for arguments in commands]


def test_no_log_and_no_error_has_what_went_through(said: tuple[bytes, list[str], bytes]) -> None:
    heard, secrets, _ = said
    assert found_in(heard, secrets) == []


def test_no_metric_has_what_went_through(said: tuple[bytes, list[str], bytes]) -> None:
    _, secrets, told = said
    assert values(told)["receiver_answers_total{answer=0}"] > 1
    assert values(told)["receiver_guard_total{verdict=allowed}"] > 0
    # The numbers themselves aside: any may look like a part of a phone.
    names = b"\n".join(line.rpartition(b" ")[0] for line in told.splitlines())
    assert found_in(names, secrets) == []
    assert [phone for phone in PHONES if phone.encode() in told] == []


def test_it_was_all_heard(said: tuple[bytes, list[str], bytes]) -> None:
    for expected in (b"quarantined a delivery", b"a login from", b"can't be read", b"database"):
        assert expected in said[0]
    assert b"Traceback" not in said[0]


@pytest.mark.parametrize("secret", [PHONES[0], TEXT, CALLBACK_TOKEN])
def test_whatever_were_there_would_be_found(secret: str) -> None:
    for form in (secret, quote(secret), quote(secret.encode("gb18030")), base64.b64encode(secret.encode()).decode()):
        assert found_in(f'{{"event": "a {form} b"}}'.encode(), [secret]), form
    assert found_in(b"\n" + secret.encode("gb18030"), [secret])
    assert found_in(base64.b64encode(b"msg=" + secret.encode()), [secret])
    assert found_in(b"139****2468 and +86139****2468", PHONES) == []
    assert found_in(b"13913****68", PHONES) != []
