"""The intake: where trainers' reports come in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from modelyard_api.report import MAX_REPORT_BYTES, REPORT_PATH

from modelyard_operator.domain.observed import RunKey
from modelyard_operator.intake.certificates import Certificates
from modelyard_operator.intake.connections import Connections
from modelyard_operator.intake.forwarding import FORWARDED, Forwarder
from modelyard_operator.intake.keys import SigningKeys
from modelyard_operator.intake.matching import NotYoursError, run_of
from modelyard_operator.intake.reading import NotAReportError, read_report
from modelyard_operator.intake.tokens import NoPodError, PodIdentity, TokenError, identify
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.metrics import REPORTS
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.reports import ReportStore

_log = logging.getLogger(__name__)
_HANDSHAKE_SECONDS = 10
_BACKLOG = 128
_BODY_SECONDS = 10
_RETRY_SECONDS = 5


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether the log is to hold it: not what aiohttp says of requests that are no HTTP, which anybody may send."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


_log_of_requests = logging.getLogger(f"{__name__}.requests")
_log_of_requests.addFilter(_is_ours)


class RefusedError(Exception):
    """A report that is not taken, with the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class IntakeServer:
    """HTTPS server of one path, whose answers are those of `ProgressReport`.

    Args:
        address, port: where to listen.
        certificates: what to show.
        keys: the cluster's, to check tokens by.
        cache: to find a pod's run in.
        reports: where reports are kept.
        wake: has a run looked at.
        leads: whether this replica may take reports itself.
        forwarder: hands them to the one that may.
        connections: how many there may be.
    """

    def __init__(
        self,
        *,
        address: str,
        port: int,
        certificates: Certificates,
        keys: SigningKeys,
        cache: Cache,
        reports: ReportStore,
        wake: Callable[[RunKey], None],
        leads: Callable[[], bool],
        forwarder: Forwarder,
        connections: Connections | None = None,
    ) -> None:
        self._address, self._port = address, port
        self._certificates = certificates
        self._keys = keys
        self._cache = cache
        self._reports = reports
        self._wake = wake
        self._leads = leads
        self._forwarder = forwarder
        self._connections = connections or Connections()
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=MAX_REPORT_BYTES)
        app.router.add_post(REPORT_PATH, self._receive)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=75, logger=_log_of_requests)
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - it is there once set up
        self._listening = await asyncio.get_running_loop().create_server(
            self._connections.guarded(self._runner.server),
            self._address,
            self._port,
            ssl=self._certificates.context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            backlog=_BACKLOG,
        )

    @property
    def port(self) -> int:
        """The port it listens on, which the system has chosen where 0 was asked for."""
        sockets = self._listening.sockets if self._listening is not None else ()
        return int(sockets[0].getsockname()[1]) if sockets else self._port

    async def stop(self) -> None:
        """Listen no longer."""
        if self._listening is not None:
            self._listening.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        self._connections.heard(request.transport)
        try:
            answer = await self._take(request)
        except RefusedError as refused:
            retry = {"Retry-After": str(_RETRY_SECONDS)} if refused.status in (429, 503) else {}
            answer = web.json_response({"error": str(refused)}, status=refused.status, headers=retry)
        REPORTS.labels(str(answer.status)).inc()
        return answer

    async def _take(self, request: web.Request) -> web.Response:
        token = _bearer(request)
        pod = await self._identify(token)
        body = await _body(request)
        if not self._leads():
            return await self._hand_on(request, token, body)
        if not self._reports.admit(pod.uid):
            raise RefusedError(429, "too many reports from this pod")
        try:
            report = read_report(body)
        except NotAReportError as error:
            raise RefusedError(400, str(error)) from error
        try:
            key = run_of(pod, report.attempt, self._cache)
        except NotYoursError as error:
            raise RefusedError(403, str(error)) from error
        reception = self._reports.receive(pod.uid, report, datetime.now(UTC))
        self._wake(key)
        return web.json_response({"reception": reception.value})

    async def _identify(self, token: str) -> PodIdentity:
        try:
            return await identify(token, self._keys)
        except TokenError as error:
            raise RefusedError(401, str(error)) from error
        except NoPodError as error:
            raise RefusedError(403, str(error)) from error
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("the cluster's keys cannot be read", extra={"error": str(error)})
            raise RefusedError(503, "the cluster's keys cannot be read just now") from error

    async def _hand_on(self, request: web.Request, token: str, body: bytes) -> web.Response:
        if FORWARDED in request.headers:
            raise RefusedError(503, "no replica leads just now")
        answer = await self._forwarder.forward(token, body)
        if answer is None:
            raise RefusedError(503, "no replica leads just now")
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RefusedError(401, "send the projected token as `Authorization: Bearer TOKEN`")
    return token.strip()


async def _body(request: web.Request) -> bytes:
    too_large = f"a report is at most {MAX_REPORT_BYTES} bytes long"
    if request.content_length is not None and request.content_length > MAX_REPORT_BYTES:
        raise RefusedError(413, too_large)
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise RefusedError(413, too_large) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise RefusedError(400, "the report did not arrive whole, or not as its headers say") from error
    except TimeoutError as error:
        raise RefusedError(400, f"the report did not arrive within {_BODY_SECONDS} s") from error
