"""What strangers send to the intake is answered or hung up on: never an error of ours, nor a line in the log."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from modelyard_api.report import MAX_REPORT_BYTES, REPORT_PATH
from modelyard_operator.intake import server
from modelyard_operator.intake.certificates import client_context
from modelyard_operator.reconcile.reports import ReportStore

from tests.fuzz.drawing import altered, drawn, mangled, share
from tests.fuzz.test_reports import A_REPORT
from tests.unit.operator_.intake import Intake, claims, signed
from tests.unit.operator_.world import a_run

_AT_ONCE = 50
ANSWERS = {0, 100, 200, 400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 431, 501, 505}
"""What a stranger may be answered. 0 is hanging up, 100 asks for the body; 500 would be an error of ours."""


@dataclass(frozen=True)
class Request:
    """Bytes to send, in pieces, and whether the end of them is hanging up."""

    pieces: tuple[bytes, ...]
    hangs_up: bool


def requests(token: str) -> st.SearchStrategy[Request]:
    """Requests with a sound token, mostly, whose parts do not fit together."""
    tokens = st.sampled_from([token] * 5 + ["", "a.b.c", "\xff.\xfe", "Bearer", token[:-9], "[" * 4000])
    bodies = mangled(altered(A_REPORT)).map(lambda body: body[: MAX_REPORT_BYTES + 1])
    coded = st.builds(
        lambda body, coding: _CODINGS[coding](body),
        bodies | st.just(b"\0" * 10_000_000),
        st.sampled_from(["gzip", "deflate", ""]),
    )
    return st.builds(
        _request, tokens, bodies | coded, st.sampled_from(_LINES), st.sampled_from(_HEADERS), st.booleans()
    )


_CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}
_LINES = (
    *([f"POST {REPORT_PATH} HTTP/1.1"] * 8),
    *(f"GET {REPORT_PATH} HTTP/1.1", "POST /v1alpha1/../../etc/passwd HTTP/1.1", f"POST {REPORT_PATH} HTTP/9.9"),
    *(f"POST {REPORT_PATH}?{'a' * 9000} HTTP/1.1", "\x00\x01\x02", f"POST {REPORT_PATH}", "PRI * HTTP/2.0"),
)
_HEADERS = (
    *(["Content-Length: {length}"] * 6),
    *(
        "Content-Length: 10",
        "Content-Length: 999999999999",
        "Content-Length: -1",
        "Content-Length: 1\r\nContent-Length: 2",
    ),
    *("Content-Length: \u00b2", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: {length}"),
    *("Content-Length: {length}\r\nContent-Encoding: gzip", "Content-Length: {length}\r\nContent-Encoding: deflate"),
    *(
        "Content-Length: {length}\r\nContent-Encoding: br",
        "Content-Length: {length}\r\nContent-Type: text/html; charset=utf-99",
    ),
    *("Content-Length: {length}\r\nExpect: 100-continue", "Content-Length: {length}\r\nExpect: a miracle", ""),
    *("Content-Length: {length}\r\nX-Modelyard-Forwarded: 1", "Content-Length: {length}\r\n" + "A: b\r\n" * 2000),
)


def _request(token: str, body: bytes, line: str, headers: str, hangs_up: bool) -> Request:
    named = headers.replace("{length}", str(len(body)))
    head = f"{line}\r\nHost: intake\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{named}\r\n\r\n"
    if "chunked" in headers:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return Request((head.encode("latin-1", "replace"), body), hangs_up)


@share(150)
async def test_no_request_is_an_error_of_the_intake_s(
    examples: int, seed: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else most of the time would be spent on bodies that never come.
    monkeypatch.setattr(server, "_BODY_SECONDS", 0.3)
    intake = Intake(a_run().begun().pod_running(), reports=ReportStore(rate=1e9, burst=10**9))
    await intake.start()
    caplog.set_level(logging.WARNING)
    context = client_context(intake.ca)

    async def answer(request: Request) -> int:
        reader, writer = await asyncio.open_connection("localhost", intake.port, ssl=context)
        try:
            for piece in request.pieces:
                writer.write(piece)
                await writer.drain()
            if not request.hangs_up:
                return _status(await asyncio.wait_for(reader.readline(), 30))
        except (ConnectionError, OSError):
            pass
        finally:
            writer.transport.abort()
        return 0

    try:
        token = signed(claims(intake.world))
        waiting = iter(drawn(requests(token), examples, seed))

        async def stranger() -> None:
            for request in waiting:
                status = await answer(request)
                assert status in ANSWERS, (status, [piece[:500] for piece in request.pieces])

        async with asyncio.TaskGroup() as together:
            for _ in range(_AT_ONCE):
                together.create_task(stranger())
        assert await intake.send(token) == 200
    finally:
        await intake.stop()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def _status(line: bytes) -> int:
    parts = line.split()
    return int(parts[1]) if len(parts) > 1 else 0
