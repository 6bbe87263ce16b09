"""A proxy between the operator and the API server that counts the operator's writes, and does what faults say."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from tests.chaos.faults import Expire, Fault, Freeze, Hide, Kill, Refuse, Side, Stale, Write
from tests.chaos.requests import About, about
from tests.chaos.rights import UsedRights

_FORWARDED = ("Authorization", "Accept", "Content-Type", "User-Agent")
_RETURNED = ("Content-Type", "Retry-After")
_LONGEST_BODY = 64 * 2**20


async def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a watch, each as soon as it is whole, with its line feed; aiohttp's own are bounded in length."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


class FaultProxy:
    """Plain HTTP on loopback for the operator, TLS to the API server.

    Args:
        upstream: address of the API server.
        ca: PEM of the authority that signed its certificate.
        strike: kills the operator; returns once it is dead.

    Attributes:
        faults: what goes wrong now. Those that come once are taken off when they have; others are the test's to lift.
        writes: the operator's writes that were asked for, in their order.
        happened: the faults that have come to pass.
        rights: what the operator was allowed to do, and did.
    """

    def __init__(self, upstream: str, ca: str, strike: Callable[[], Awaitable[None]]) -> None:
        self.faults: list[Fault] = []
        self.writes: list[Write] = []
        self.happened: list[Fault] = []
        self.rights = UsedRights()
        self.url = ""
        self._upstream = upstream
        self._ssl = ssl.create_default_context(cadata=ca)
        self._strike = strike
        self._counts: Counter[tuple[str, str]] = Counter()
        self._deleted: set[str] = set()
        self._first_lists: dict[str, bytes] = {}

    async def __aenter__(self) -> Self:
        # Watches last; none of the operator's requests is to wait for another of them.
        connector = aiohttp.TCPConnector(ssl=self._ssl, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        application = web.Application(client_max_size=_LONGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def count_anew(self, run: str) -> None:
        """Forget the writes for `run`, such as the empty name that stands for those for all."""
        for known in [key for key in self._counts if key[0] == run]:
            del self._counts[known]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = about(request.method, request.path, body)
        watching = request.query.get("watch") in ("1", "true")
        if asked is None:
            self.rights.elsewhere.add(request.path)
            return await self._forward(request, body)
        self.rights.asked(asked, body, watching=watching)
        if asked.is_list:
            return await (self._watch(request, asked) if watching else self._list(request, asked))
        return await self._write(request, asked, body) if asked.is_write else await self._forward(request, body)

    async def _write(self, request: web.Request, asked: About, body: bytes) -> web.StreamResponse:
        if asked.method == "DELETE" and request.path in self._deleted:
            # It may be asked for again as long as the first is not seen to be obeyed, or may not: chance, no new write.
            return await self._forward(request, body)
        if asked.method == "DELETE":
            self._deleted.add(request.path)
        self._counts[asked.run, asked.what] += 1
        write = Write(asked.run, asked.what, self._counts[asked.run, asked.what])
        self.writes.append(write)
        match next((fault for fault in self.faults if isinstance(fault, Kill | Refuse) and fault.write == write), None):
            case Kill() as fault:
                self.faults.remove(fault)
                if fault.side is Side.AFTER:
                    await self._forward(request, body)
                return await self._kill(request, fault)
            case Refuse() as fault:
                self._has_happened(fault)
                wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                return web.json_response(_refusal(fault.status, fault.reason), status=fault.status, headers=wait)
        return await self._forward(request, body)

    async def _kill(self, request: web.Request, fault: Kill) -> web.Response:
        await self._strike()
        self.happened.append(fault)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        async with self._ask(request, body) as answer:
            headers = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
            said = await answer.read()
            asked = about(request.method, request.path, body)
            if asked is not None:
                self.rights.answered(asked, answer.status, said)
            return web.Response(status=answer.status, headers=headers, body=said)

    async def _list(self, request: web.Request, asked: About) -> web.Response:
        if request.path in self._first_lists and Stale(asked.plural) in self.faults:
            self.happened.append(Stale(asked.plural))
            return web.Response(body=self._first_lists[request.path], content_type="application/json")
        answer = await self._forward(request, b"")
        if answer.status == 200 and isinstance(answer.body, bytes):
            self._first_lists.setdefault(request.path, answer.body)
        return answer

    async def _watch(self, request: web.Request, asked: About) -> web.StreamResponse:
        response = web.StreamResponse()
        # Whoever watched may have been killed.
        with suppress(ConnectionResetError):
            await self._relay(request, asked, response)
        return response

    async def _relay(self, request: web.Request, asked: About, response: web.StreamResponse) -> None:
        async with self._ask(request, b"") as answer:
            self.rights.answered(asked, answer.status, b"")
            response.set_status(answer.status)
            response.content_type = answer.content_type
            await response.prepare(request)
            frozen = False
            async for line in lines(answer):
                if Freeze(asked.plural) in self.faults:
                    self._has_happened(Freeze(asked.plural))
                    frozen = True
                if frozen or self._is_hidden(asked):
                    continue
                if Expire(asked.plural) in self.faults:
                    self._has_happened(Expire(asked.plural))
                    gone = {"type": "ERROR", "object": _refusal(410, "Expired")}
                    await response.write(json.dumps(gone).encode() + b"\n")
                    return
                await response.write(line)

    def _is_hidden(self, asked: About) -> bool:
        if Hide(asked.plural) not in self.faults:
            return False
        self.happened.append(Hide(asked.plural))
        return True

    def _ask(self, request: web.Request, body: bytes) -> Any:
        headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
        url = URL(self._upstream + request.raw_path, encoded=True)
        return self._session.request(request.method, url, data=body or None, headers=headers)

    def _has_happened(self, fault: Fault) -> None:
        self.faults.remove(fault)
        self.happened.append(fault)


def _refusal(code: int, reason: str) -> dict[str, Any]:
    """The Status object of an error, as the API server writes it."""
    message = f"{reason}, says the fault proxy"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
