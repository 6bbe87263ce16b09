"""The whole of Modelyard on a kind cluster of its own, as one thing that a story is told with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from modelyard_cluster import kind, objectstore
from modelyard_cluster.install import Installation, install
from modelyard_cluster.kind import Cluster
from modelyard_cluster.load import load
from modelyard_cluster.namespaces import restrict
from modelyard_cluster.tools import ensure_tools, tool

from tests.e2e.kubectl import Kubectl, Watched
from tests.e2e.live_run import LiveRun
from tests.e2e.node import Node
from tests.e2e.plugin_image import build_plugin_image
from tests.e2e.store import Store
from tests.e2e.training_runs import BUCKET, Story, quick

CLUSTER = "modelyard-test"
NAMESPACE = "vision"
GPUS = 16
"""More than CPU allows side by side, so that a story never waits for one."""
OPERATOR_VALUES: dict[str, Any] = {"operator": {"retryDelaySeconds": 2}}
"""The chart's own, but for the wait before a retry, which would only be waited for."""
_DEPLOYMENT = "deployment"


@dataclass(frozen=True)
class Yard:
    """A cluster with an S3 server and the operator in it, and namespace `vision` for runs.

    Attributes:
        image: the torch-free image that quick runs use.
        watched: every version of every run since the tests began.
    """

    cluster: Cluster
    kubectl: Kubectl
    store: Store
    image: str
    installation: Installation
    watched: Watched

    def quick(self, name: str) -> Story:
        """A run of seconds."""
        return quick(name, self.image)

    def start(self, *stories: Story) -> list[LiveRun]:
        """`kubectl apply` of all of them at once."""
        self.kubectl.apply(*(story.manifest() for story in stories))
        return [LiveRun(self.kubectl, self.cluster, story.name) for story in stories]

    @property
    def operator(self) -> Kubectl:
        """kubectl in the operator's namespace."""
        return self.kubectl.within(self.installation.namespace)

    @property
    def operator_deployment(self) -> str:
        """The operator's Deployment, as kubectl names it."""
        return f"{_DEPLOYMENT}/{self.operator.all(_DEPLOYMENT)[0]['metadata']['name']}"

    @property
    def operator_service_account(self) -> str:
        """The user name of the operator's service account."""
        template = self.operator.all(_DEPLOYMENT)[0]["spec"]["template"]["spec"]
        return f"system:serviceaccount:{self.installation.namespace}:{template['serviceAccountName']}"

    @property
    def leader(self) -> str:
        """The pod that holds the Lease."""
        (lease,) = self.operator.all("leases")
        return str(lease["spec"].get("holderIdentity", ""))

    @contextmanager
    def operator_down(self) -> Iterator[None]:
        """No operator runs during the block; afterwards one does, and is ready."""
        deployment = self.operator_deployment
        replicas = self.operator.all(_DEPLOYMENT)[0]["spec"]["replicas"]
        self.operator("scale", deployment, "--replicas=0")
        deadline = time.monotonic() + 60
        while self.operator.all("pods"):
            assert time.monotonic() < deadline, "the operator's pod did not end within 60 s"
            time.sleep(0.5)
        try:
            yield
        finally:
            self.operator("scale", deployment, f"--replicas={replicas}")
            self.operator("rollout", "status", deployment, "--timeout=120s", timeout=150)


@contextmanager
def yard_up() -> Iterator[Yard]:
    """Bring up what is missing or dead, and use what is healthy; the cluster stays for the next time."""
    cluster = kind.up(CLUSTER, workers=1, gpus=GPUS)
    for name in cluster.workers():
        Node(cluster.engine, name).let_through()
    ensure_tools("kubectl")
    credentials = objectstore.deploy(cluster)
    image = build_plugin_image(cluster.engine)
    load(cluster, image, cluster.workers())
    installation = install(cluster, image, values=OPERATOR_VALUES)
    kubectl = Kubectl(tool("kubectl"), cluster.kubeconfig, NAMESPACE)
    _prepare_namespace(cluster, kubectl, credentials)
    with objectstore.forwarded(cluster) as endpoint, kubectl.watching("trainingruns") as watched:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            region_name="us-east-1",
            config=Config(max_pool_connections=16),
        )
        store = Store(client)
        for bucket in (BUCKET, "models"):
            store.make_bucket(bucket)
        yield Yard(cluster, kubectl, store, image, installation, watched)


def _prepare_namespace(cluster: Cluster, kubectl: Kubectl, credentials: objectstore.Credentials) -> None:
    """A namespace that admits restricted pods only, without the runs of an earlier session."""
    objectstore.give_credentials(cluster, NAMESPACE, credentials)
    restrict(cluster, NAMESPACE)
    kubectl("delete", "trainingruns", "--all", "--wait=true")
    kubectl("delete", "pods", "--all", "--wait=true", "--grace-period=1")
