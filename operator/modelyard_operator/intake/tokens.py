"""Whose token is it? The cluster's signature, its issuer, our audience, its expiry, and the pod that it is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jwt
from modelyard_api.report import AUDIENCE

from modelyard_operator.intake.keys import SigningKeys

_ALGORITHMS = ("RS256", "ES256", "ES384", "ES512")
_CLOCKS_DIFFER = 30


class TokenError(Exception):
    """The token proves nothing. The message says what is wrong, never the token."""


class NoPodError(Exception):
    """The token is sound and for the intake, but whoever asked for it has bound it to no pod."""


@dataclass(frozen=True)
class PodIdentity:
    """The pod that a token was made for."""

    namespace: str
    name: str
    uid: str


async def identify(token: str, keys: SigningKeys) -> PodIdentity:
    """The pod that `token` is bound to.

    Raises:
        TokenError: it is not the cluster's, not for the intake, or expired.
        NoPodError: it is, and is bound to no pod.
        ApiError, aiohttp.ClientError, TimeoutError: the cluster's keys cannot be read.
    """
    try:
        header = jwt.get_unverified_header(token)
        key, issuer = await keys.find(str(header.get("kid", "")))
        if key is None:
            raise TokenError("the token is signed with a key that this cluster does not have")
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm for algorithm in _ALGORITHMS if algorithm == key.algorithm_name],
            audience=AUDIENCE,
            issuer=issuer,
            leeway=_CLOCKS_DIFFER,
            options={"require": ["exp", "iss", "aud"]},
        )
    except (jwt.PyJWTError, UnicodeError) as error:
        # A header may hold any bytes, and PyJWT takes a token to be text.
        raise TokenError(f"the token is not valid: {error}") from error
    return _pod(claims)


def _pod(claims: dict[str, Any]) -> PodIdentity:
    try:
        kubernetes = claims["kubernetes.io"]
        return PodIdentity(str(kubernetes["namespace"]), str(kubernetes["pod"]["name"]), str(kubernetes["pod"]["uid"]))
    except (KeyError, TypeError) as error:
        raise NoPodError("the token is bound to no pod, and only a run's pod may report") from error
