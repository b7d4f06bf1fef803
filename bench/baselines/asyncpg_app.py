"""The asynchronous way: FastAPI and asyncpg with one commit per request, into the same table, on uvicorn.

It does as little as ``bench.baselines.orm``. uvicorn uses uvloop and httptools where they are installed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg  # type: ignore[import-untyped]
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from receiver import config
from receiver.vocabulary import Delivery, Origin, Reading, new_id
from receiver.vocabulary.parse import parse

# Connections. More of them share a flush of PostgreSQL's log; 8 and 32 made no difference on two cores.
POOL = 16

INSERT = """
INSERT INTO messages (
    id, received_at, origin, kind, src, src_wire, dst, raw, text, charset, charset_certain, peer
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


def create_app(database_url: str) -> FastAPI:
    reading = Reading()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        dsn = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        async with asyncpg.create_pool(dsn, min_size=POOL, max_size=POOL) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/recv.asp")
    async def receive(request: Request) -> PlainTextResponse:
        said = parse(request.scope["query_string"], reading)
        if not isinstance(said, Delivery):
            return PlainTextResponse("-1")
        await app.state.pool.execute(INSERT, *_row(said, request.client.host if request.client else None))
        return PlainTextResponse("0")

    return app


def _row(said: Delivery, peer: str | None) -> tuple[object, ...]:
    return (
        new_id(),
        datetime.now(UTC),
        Origin.PUSH,
        said.kind,
        said.src,
        said.src_wire,
        said.dst,
        said.raw,
        said.text,
        said.charset,
        said.charset_certain,
        peer,
    )


if __name__ == "__main__":
    settings = config.load()
    host, _, port = settings.callback_bind.rpartition(":")
    uvicorn.run(create_app(settings.url), host=host, port=int(port), log_level="warning", access_log=False)
