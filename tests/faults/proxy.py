"""Stands between the receiver and PostgreSQL: passes all on, late where it is told to, or cuts connections off."""

import asyncio
import contextlib
import threading

from tests.serving import free_port

# What psycopg commits with, a simple query (PostgreSQL's protocol, "Message Formats").
_COMMIT = b"COMMIT\0"


class Proxy:
    """A port of 127.0.0.1 that leads to another one for as long as the block lasts.

    ``delay`` are the seconds that whatever a client says takes. ``cuts_commits``: a COMMIT is carried out, and both
    sides are cut off instead of its answer, so that who asked can't know what became of it; ``cuts`` counts them.
    """

    def __init__(self, upstream: int) -> None:
        self.port = free_port()
        self.delay = 0.0
        self.cuts_commits = False
        self.cuts = 0
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        listening = asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        links = asyncio.all_tasks() - {asyncio.current_task()}
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            to_client.transport.abort()
            return
        is_cut = asyncio.Event()
        ways = [
            asyncio.ensure_future(self._ask(client, to_server, is_cut)),
            asyncio.ensure_future(_answer(server, to_client, is_cut)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to_client.transport.abort()
            to_server.transport.abort()

    async def _ask(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, is_cut: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while said := await client.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.cuts_commits and said.endswith(_COMMIT):
                    self.cuts += 1
                    is_cut.set()
                to_server.write(said)
                await to_server.drain()


async def _answer(server: asyncio.StreamReader, to_client: asyncio.StreamWriter, is_cut: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while (said := await server.read(65_536)) and not is_cut.is_set():
            to_client.write(said)
            await to_client.drain()
