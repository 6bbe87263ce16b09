"""The keys that the cluster signs service account tokens with, and the issuer that it names in them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import jwt

from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError

_log = logging.getLogger(__name__)
_DISCOVERY = "/.well-known/openid-configuration"
_KEYS = "/openid/v1/jwks"


@dataclass(frozen=True)
class KeySet:
    """Keys by their identifier, and the issuer."""

    issuer: str
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)


class SigningKeys:
    """The cluster's keys, read through the API server and kept.

    Args:
        client: any service account may read the keys.
        shortest_refresh: seconds between two reads, however many unknown keys are named and however the reads end.
        longest_refresh: seconds after which keys are read again, so that a withdrawn one is forgotten; those that are
            known stay while the API server cannot be read.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        shortest_refresh: float = 10,
        longest_refresh: float = 3600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._shortest, self._longest = shortest_refresh, longest_refresh
        self._clock = clock
        self._known: KeySet | None = None
        self._read_at = 0.0
        self._tried_at = 0.0
        self._lock = asyncio.Lock()

    async def find(self, identifier: str) -> tuple[jwt.PyJWK | None, str]:
        """The key of this identifier, or None if the cluster has none such; and the issuer.

        Raises:
            ApiError, aiohttp.ClientError, TimeoutError: no keys were ever read, and they cannot be now.
        """
        async with self._lock:
            known = self._known or await self._read()
            now = self._clock()
            wanted = identifier not in known.keys or now - self._read_at > self._longest
            if wanted and now - self._tried_at > self._shortest:
                known = await self._read_anew(known)
        return known.keys.get(identifier), known.issuer

    async def _read_anew(self, known: KeySet) -> KeySet:
        try:
            return await self._read()
        except (ApiError, aiohttp.ClientError, TimeoutError, jwt.PyJWTError) as error:
            _log.warning("the signing keys that are known are kept", extra={"error": str(error)})
            return known

    async def _read(self) -> KeySet:
        self._tried_at = self._clock()
        discovery = await self._client.get(_DISCOVERY)
        answer = await self._client.get(_KEYS)
        keys = jwt.PyJWKSet.from_dict(answer).keys
        self._known = KeySet(str(discovery["issuer"]), {key.key_id: key for key in keys if key.key_id})
        self._read_at = self._clock()
        return self._known
