"""Whoever reaches the intake's port may open connections, but not as many and for as long as they like."""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modelyard_api.report import REPORT_PATH
from modelyard_operator.intake.certificates import client_context
from modelyard_operator.intake.connections import Connections
from modelyard_operator.metrics import CONNECTIONS_REFUSED

from tests.unit.operator_.intake import Intake, claims, report, signed
from tests.unit.operator_.world import a_run

_SOON = 10


@asynccontextmanager
async def intake_with(connections: Connections) -> AsyncIterator[Intake]:
    made = Intake(a_run().begun().pod_running())
    await made.start(connections=connections)
    yield made
    await made.stop()


async def connect(intake: Intake) -> tuple[StreamReader, StreamWriter]:
    return await asyncio.open_connection("localhost", intake.port, ssl=client_context(intake.ca))


async def is_cut(reader: StreamReader) -> bool:
    try:
        async with asyncio.timeout(_SOON):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def post(intake: Intake, reader: StreamReader, writer: StreamWriter) -> str:
    """Send a report over a connection that is there already, and return the answer's first line."""
    body = json.dumps(report()).encode()
    token = signed(claims(intake.world))
    head = f"POST {REPORT_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    first = await reader.readuntil(b"\r\n")
    headers = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in headers.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return first.decode().strip()


async def until_open(connections: Connections, count: int) -> None:
    async with asyncio.timeout(_SOON):
        while connections.open != count:  # noqa: ASYNC110 - the intake has nothing to be waited for
            await asyncio.sleep(0.01)


async def test_one_address_gets_so_many_connections_and_others_keep_theirs() -> None:
    connections = Connections(most_of_one=3)
    async with intake_with(connections) as intake:
        refused = CONNECTIONS_REFUSED._value.get()
        kept = [await connect(intake) for _ in range(3)]
        await until_open(connections, 3)
        reader, _ = await connect(intake)
        assert await is_cut(reader)
        assert CONNECTIONS_REFUSED._value.get() == refused + 1
        assert await post(intake, *kept[0]) == "HTTP/1.1 200 OK"


async def test_a_connection_that_ends_makes_room_for_another() -> None:
    connections = Connections(most=2)
    async with intake_with(connections) as intake:
        one, other = await connect(intake), await connect(intake)
        await until_open(connections, 2)
        one[1].close()
        await until_open(connections, 1)
        assert await intake.send(signed(claims(intake.world))) == 200
        other[1].close()
        await until_open(connections, 0)


async def test_a_connection_that_says_nothing_is_cut_and_one_that_has_reported_is_not() -> None:
    connections = Connections(first_request=60)
    async with intake_with(connections) as intake:
        reporting = await connect(intake)
        assert await post(intake, *reporting) == "HTTP/1.1 200 OK"
        connections.first_request = 0.1
        silent, _ = await connect(intake)
        assert await is_cut(silent)
        assert await post(intake, *reporting) == "HTTP/1.1 200 OK"


async def test_half_a_request_does_not_count_as_one() -> None:
    async with intake_with(Connections(first_request=0.5)) as intake:
        reader, writer = await connect(intake)
        writer.write(f"POST {REPORT_PATH} HTTP/1.1\r\nHost: x\r\n".encode())
        assert await is_cut(reader)
