"""One HTTP session to the API server, and nothing that is not needed of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic_core import from_json, to_json

from modelyard_operator.kube.access import Access
from modelyard_operator.kube.errors import ExpiredError, StaleListError, api_error
from modelyard_operator.kube.rate import TokenBucket
from modelyard_operator.kube.resource_version import is_newer

JsonObject = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PAGE = 200
_ACCEPT = "application/json, application/jwk-set+json"
_METADATA = f"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{_ACCEPT}"
_USER_AGENT = "modelyard-operator"


class KubeClient:
    """Requests as JSON, answers as JSON objects, errors as `ApiError`, all at no more than a given rate.

    Args:
        access: server and credentials; the token is read again for every request, since it is renewed.
        rate: requests a second.
        burst: requests at once after a pause.
        connections: open connections at most.
        timeout: seconds for one request.
    """

    def __init__(
        self, access: Access, *, rate: float = 400, burst: int = 400, connections: int = 32, timeout: float = 30
    ) -> None:
        self.access = access
        self._limiter = TokenBucket(rate, burst)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        ssl_context = self.access.ssl_context()
        connector = aiohttp.TCPConnector(
            ssl=ssl_context if ssl_context is not None else True, limit=self._connections, keepalive_timeout=60
        )
        self._session = aiohttp.ClientSession(
            self.access.server,
            connector=connector,
            timeout=self._timeout,
            headers={"User-Agent": _USER_AGENT},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> JsonObject:
        """Read an object or one page of a list."""
        return await self.request("GET", path, query=query)

    async def create(self, path: str, body: JsonObject) -> JsonObject:
        """Create an object, and return its metadata alone; `ConflictError` where it exists."""
        return await self.request("POST", path, body=body, accept=_METADATA)

    async def replace(self, path: str, body: JsonObject) -> JsonObject:
        """Replace an object; `ConflictError` where it has changed since it was read."""
        return await self.request("PUT", path, body=body)

    async def merge(self, path: str, body: JsonObject) -> JsonObject:
        """Change some fields; None removes one."""
        return await self.request("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def apply(self, path: str, body: JsonObject, *, manager: str, metadata_only: bool = False) -> JsonObject:
        """Server-side apply: own exactly these fields. What `manager` owned before and omits now is deleted.

        With `metadata_only` the answer leaves out what was sent anyway, which spares both sides much of the work.
        """
        query = {"fieldManager": manager, "force": "true"}
        accept = _METADATA if metadata_only else _ACCEPT
        return await self.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH, accept=accept)

    async def delete(self, path: str, body: JsonObject) -> JsonObject:
        """Delete an object under the DeleteOptions `body`."""
        return await self.request("DELETE", path, body=body)

    async def list(
        self, path: str, selector: str | None = None, not_before: str | None = None
    ) -> AsyncIterator[JsonObject]:
        """Every item of a list, page by page. A list that outlives its pages' token is begun again.

        Raises:
            StaleListError: it shows what was there before version `not_before`.
        """
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        token = ""
        while True:
            try:
                page = await self.get(path, query | ({"continue": token} if token else {}))
            except ExpiredError:
                if not token:
                    raise
                token = ""
                continue
            version = page["metadata"]["resourceVersion"]
            if not_before is not None and is_newer(not_before, version):
                raise StaleListError(f"{path} is listed as of {version}, which is before {not_before}")
            for item in page["items"]:
                yield item
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content_type: str = "application/json",
        accept: str = _ACCEPT,
    ) -> JsonObject:
        """One request.

        Raises:
            ApiError: the server refused.
            aiohttp.ClientError, TimeoutError: it did not answer.
        """
        if self._session is None:
            raise RuntimeError("the client is not open: use it as `async with KubeClient(...)`")
        await self._limiter.wait()
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        token = self.access.current_token()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = to_json(body) if body is not None else None
        async with self._session.request(method, path, params=query, data=data, headers=headers) as response:
            raw = await response.read()
            if response.status >= 400:
                raise _error(response.status, response.headers.get("Retry-After"), raw)
        answer = from_json(raw) if raw else {}
        return answer if isinstance(answer, dict) else {}


def _error(status: int, retry_after: str | None, raw: bytes) -> Exception:
    try:
        answer = from_json(raw)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", raw[:500].decode(errors="replace")
    wait = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return api_error(status, reason, message, wait)


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
