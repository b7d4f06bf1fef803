"""Somebody who uses the console with a browser that runs no scripts: follows links, sends forms, keeps cookies."""

import http.client
import re
from dataclasses import dataclass, field
from email.message import Message
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from receiver.access.people import People
from receiver.access.person import Person
from receiver.access.roles import Role
from receiver.access.sessions import Sessions
from receiver.admin.console.cookies import SESSION
from receiver.store.store import Store

PASSWORD = "a fine long secret"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True)
class Shown:
    """A page as it was answered."""

    status: int
    headers: Message
    text: str

    @property
    def words(self) -> str:
        """What it says, without its markup."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.text)).split())


@dataclass
class Visitor:
    """One browser. ``cookies`` are those that it keeps."""

    port: int
    cookies: dict[str, str] = field(default_factory=lambda: {"receiver_locale": "en"})
    _csrf: str = ""

    def get(self, path: str, **headers: str) -> Shown:
        """Look at a page; the word of its forms is kept."""
        return self._ask("GET", path, None, headers)

    def head(self, path: str) -> Shown:
        """Ask for a page's head alone."""
        return self._ask("HEAD", path, None, {})

    @property
    def cookie(self) -> str:
        """The header that a browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def post(self, path: str, *, csrf: str | None = None, **fields: str) -> Shown:
        """Send a form of the page that was looked at last."""
        return self._ask("POST", path, urlencode({"csrf": self._csrf if csrf is None else csrf, **fields}), {})

    def upload(self, path: str, field: str, name: str, content: bytes, **fields: str) -> Shown:
        """Send a form with a file."""
        mark = "-----visitor"
        lines = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in {"csrf": self._csrf, **fields}.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
        body = "".join([*lines, head]).encode() + content + f"\r\n--{mark}--\r\n".encode()
        return self._ask("POST", path, body, {}, f"multipart/form-data; boundary={mark}")

    def follow(self, path: str, **fields: str) -> Shown:
        """Send a form that must do what it is for, and look at the page that it leads to."""
        answer = self.post(path, **fields)
        assert answer.status == 303, answer.words
        return self.get(answer.headers["Location"])

    def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> Shown:
        """Write name and password into the login form."""
        self.get("/login")
        return self.post("/login", name=name, password=password, **fields)

    def download(self, path: str) -> bytes:
        """Look at what is no page, and must be there."""
        sent = {"Cookie": self.cookie}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        assert response.status == 200, content
        return content

    def _ask(
        self,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: dict[str, str],
        media_type: str = "application/x-www-form-urlencoded",
    ) -> Shown:
        sent = {"Cookie": self.cookie, **headers}
        if body is not None:
            sent["Content-Type"] = media_type
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        for given in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(given).items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]
        if found := _CSRF.search(text):
            self._csrf = found[1]
        return Shown(response.status, response.headers, text)


def somebody(store: Store, role: Role, name: str | None = None) -> Person:
    """An account with ``PASSWORD``."""
    people = People(store)
    return people.accept(people.invite(name or role.value, role, actor="tests").token, PASSWORD)


def visiting(port: int, store: Store, person: Person) -> Visitor:
    """A browser in which ``person`` is logged in already."""
    visitor = Visitor(port)
    visitor.cookies[SESSION] = Sessions(store).begin(person, peer="127.0.0.1", agent="tests")
    return visitor
