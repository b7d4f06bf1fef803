"""A program that calls the admin side over HTTP, as one of another team would."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode

V1 = "/api/v1"


@dataclass(frozen=True)
class Answer:
    """What was answered. ``headers`` don't mind case."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON as the media type says."""
        assert self.headers.get_content_type() in ("application/json", "application/problem+json"), self
        return json.loads(self.body)

    def ok(self) -> Any:
        """The body of an answer that must be a success."""
        assert 200 <= self.status < 300, (self.status, self.body)
        return self.json if self.body else None

    def problem(self, status: int) -> dict[str, Any]:
        """The problem document of an answer that must be a failure with this status."""
        assert self.status == status, (self.status, self.body)
        assert self.headers.get_content_type() == "application/problem+json", self
        document: dict[str, Any] = self.json
        assert document["status"] == status
        assert document["type"].startswith("/api/problems/")
        assert document["title"]
        assert document["detail"]
        assert document["request_id"] == self.headers["X-Request-Id"]
        return document


@dataclass(frozen=True)
class Api:
    """Calls to one server on 127.0.0.1, with one key or none."""

    port: int
    token: str | None = None

    def get(self, path: str, **query: Any) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("POST", path, body, query=query)

    def put(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("PUT", path, body, query=query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("DELETE", path, body, query=query)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call. ``path`` is below /api/v1 unless it begins with another /api/; a ``body`` goes as JSON, or as it is
        where it is bytes.
        """
        with self.open(method, path, body, query=query, headers=headers) as response:
            return Answer(response.status, response.headers, response.read())

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Iterator[http.client.HTTPResponse]:
        """The response before its body was read: for what streams."""
        sent = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, target(path, query or {}), body, {**sent, **(headers or {})})
            yield connection.getresponse()
        finally:
            connection.close()

    def walk(self, path: str, **query: Any) -> list[Any]:
        """The items of every page of a list, newest first."""
        items: list[Any] = []
        while True:
            page = self.get(path, **query).ok()
            items += page["items"]
            if page["next"] is None:
                return items
            query["cursor"] = page["next"]


def target(path: str, query: Mapping[str, Any]) -> str:
    """A request's target: None is left out of the query, true and false go as JSON has them."""
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    written = urlencode({name: value for name, value in given.items() if value is not None}, doseq=True)
    whole = path if path.startswith("/api/") else V1 + path
    return quote(whole, safe="/%:+@,;=?&") + (f"?{written}" if written else "")
