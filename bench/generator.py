"""A load generator for machines without wrk: ``python -m bench.generator PORT SECONDS CONNECTIONS FIRST STEP END…``.

It takes the arguments of ``replies.lua`` and says the same, but reads every answer: one that is not ``0`` is an error.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from itertools import cycle

from bench.load import PHONES, TIMEOUT_SECONDS

_ANSWERED, _FAILED = b"0", b""


@dataclass
class Replies:
    """The requests to send, one after the other for all connections."""

    phone: int
    step: int
    ends: list[str]

    def __post_init__(self) -> None:
        self._tails = cycle(f"{end} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for end in self.ends)

    def __next__(self) -> bytes:
        self.phone = (self.phone + self.step) % PHONES
        return f"GET /recv.asp?src=13{self.phone:09d}{next(self._tails)}".encode()


@dataclass
class Seen:
    latencies: list[float] = field(default_factory=list)
    errors: int = 0


async def main(port: int, seconds: float, connections: int, replies: Replies) -> None:
    seen = Seen()
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(_connection(port, until, replies, seen) for _ in range(connections)))
    took = time.perf_counter() - began
    seen.latencies.sort()
    print(
        json.dumps(
            {
                "replies": len(seen.latencies),
                "seconds": round(took, 6),
                "p50_ms": round(_percentile(seen.latencies, 0.50) * 1e3, 3),
                "p99_ms": round(_percentile(seen.latencies, 0.99) * 1e3, 3),
                "errors": seen.errors,
            }
        )
    )


async def _connection(port: int, until: float, replies: Replies, seen: Seen) -> None:
    """Requests over one connection, which is opened again where it breaks."""
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            seen.errors += 1
            await asyncio.sleep(0.01)
            continue
        try:
            while (sent := time.perf_counter()) < until:
                writer.write(next(replies))
                body = await asyncio.wait_for(_answer(reader), TIMEOUT_SECONDS)
                if body == _ANSWERED:
                    seen.latencies.append(time.perf_counter() - sent)
                else:
                    seen.errors += 1
        except (OSError, EOFError, TimeoutError):
            seen.errors += 1
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer; empty where its status is not 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(b"\r\ncontent-length:")
    body = await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return body if head.split(b" ", 2)[1] == b"200" else _FAILED


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


if __name__ == "__main__":
    port, seconds, connections, first, step, *ends = sys.argv[1:]
    asyncio.run(main(int(port), float(seconds), int(connections), Replies(int(first), int(step), ends)))
