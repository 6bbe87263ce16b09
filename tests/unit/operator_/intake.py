"""A running intake, a cluster whose keys are known, and tokens of every kind."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from modelyard_api.report import AUDIENCE, REPORT_PATH
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.intake.certificates import Certificates, client_context, make_certificates
from modelyard_operator.intake.connections import Connections
from modelyard_operator.intake.forwarding import Forwarder
from modelyard_operator.intake.keys import SigningKeys
from modelyard_operator.intake.server import IntakeServer
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.reports import ReportStore

from tests.unit.operator_.world import World

ISSUER = "https://kubernetes.default.svc.cluster.local"
CLUSTER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Cluster:
    """The API server, as far as it tells its keys."""

    def __init__(self) -> None:
        self.reads = 0
        self.trouble: Exception | None = None

    async def get(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {"issuer": ISSUER}
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble
        key = jwt.algorithms.RSAAlgorithm.to_jwk(CLUSTER_KEY.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": "one", "alg": "RS256", "use": "sig"}]}


def claims(world: World, **changes: Any) -> dict[str, Any]:
    """What the kubelet's token of the run's pod says."""
    pod = world.pods[1]
    now = int(time.time())
    bound = {"namespace": pod.namespace, "pod": {"name": pod.name, "uid": pod.uid}}
    return {"iss": ISSUER, "aud": [AUDIENCE], "exp": now + 600, "iat": now, "kubernetes.io": bound} | changes


def signed(content: dict[str, Any], key: Any = CLUSTER_KEY, kid: str = "one", algorithm: str = "RS256") -> str:
    return jwt.encode(content, key, algorithm=algorithm, headers={"kid": kid})


def unsigned(content: dict[str, Any]) -> str:
    return jwt.encode(content, "", algorithm="none", headers={"kid": "one"})


def signed_with_the_public_key(content: dict[str, Any]) -> str:
    """The old trick: the public key taken for an HMAC secret. PyJWT refuses to make it, so it is made by hand."""
    pem = CLUSTER_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    body = header + b"." + jwt.utils.base64url_encode(json.dumps(content).encode())
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return (body + b"." + jwt.utils.base64url_encode(algorithm.sign(body, pem))).decode()


def report(**changes: Any) -> dict[str, Any]:
    return {"sequence": 1, "attempt": 1, "stage": "Training", "epoch": 3, "epochs": 30, "percent": 10} | changes


@dataclass
class Intake:
    """A running intake and what stands behind it."""

    world: World
    cache: Cache = field(default_factory=Cache)
    reports: ReportStore = field(default_factory=lambda: ReportStore(rate=0.001, burst=3))
    woken: list[RunKey] = field(default_factory=list)
    leads: bool = True
    leader: dict[str, str] = field(default_factory=dict)
    cluster: Cluster = field(default_factory=Cluster)
    ca: str = ""
    port: int = 0
    _server: IntakeServer | None = None
    _forwarder: Forwarder | None = None

    async def start(self, certificates: Certificates | None = None, connections: Connections | None = None) -> None:
        self.remember()
        certificates = certificates or make_certificates(["localhost", "127.0.0.1"], "test")
        self.ca = certificates.ca
        self._forwarder = Forwarder(lambda: self.leader, "localhost")
        self._server = IntakeServer(
            address="127.0.0.1",
            port=0,
            certificates=certificates,
            keys=SigningKeys(cast("KubeClient", self.cluster)),
            cache=self.cache,
            reports=self.reports,
            wake=self.woken.append,
            leads=lambda: self.leads,
            forwarder=self._forwarder,
            connections=connections,
        )
        await self._server.start()
        self.port = self._server.port

    async def stop(self) -> None:
        assert self._server is not None
        assert self._forwarder is not None
        await self._server.stop()
        await self._forwarder.close()

    def remember(self) -> None:
        self.cache.store_run(self.world.stored())
        for job in self.world.jobs.values():
            self.cache.store_job(job)
        for pod in self.world.pods.values():
            self.cache.store_pod(pod)

    async def send(self, token: str | None, body: Any = None, raw: bytes | None = None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        data = raw if raw is not None else json.dumps(report() if body is None else body).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"https://localhost:{self.port}{REPORT_PATH}", data=data, headers=headers, ssl=client_context(self.ca)
            ) as answer,
        ):
            return answer.status
