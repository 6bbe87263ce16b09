"""The S3 server in the cluster: started, given credentials, and reached from this machine."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .cache import REPOSITORY, fingerprint
from .console import say
from .daemons import free_ports
from .images import build_in, link_programs, scratch_folder
from .kind import Cluster
from .load import load
from .port_forward import forwarding
from .tools import ensure_tools, tool
from .toolsets import PROGRAMS

NAMESPACE = "modelyard-storage"
ENDPOINT = f"http://s3.{NAMESPACE}.svc:7070"
CREDENTIALS = "s3"
_FOLDER = REPOSITORY / "cluster" / "object_store"
_IMAGE = "modelyard-object-store:local"


@dataclass(frozen=True)
class Credentials:
    """What the server's one user signs requests with."""

    access_key: str
    secret_key: str

    def environment(self, endpoint: str) -> dict[str, str]:
        """The variables that S3 clients read; what a Secret for a TrainingRun holds as well."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
        }


def deploy(cluster: Cluster) -> Credentials:
    """Have the S3 server answer in the cluster; return its credentials, which are made once a cluster."""
    load(cluster, _image(cluster), [cluster.control_plane])
    cluster.kubectl("apply", "--filename", _FOLDER / "manifest.yaml")
    credentials = _credentials(cluster) or Credentials(secrets.token_hex(8), secrets.token_urlsafe(24))
    give_credentials(cluster, NAMESPACE, credentials)
    cluster.kubectl("rollout", "status", "deployment/s3", f"--namespace={NAMESPACE}", "--timeout=120s")
    return credentials


def give_credentials(cluster: Cluster, namespace: str, credentials: Credentials) -> None:
    """Put the Secret that TrainingRuns name in `secretRef` into a namespace, which is made if need be."""
    manifests = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": CREDENTIALS, "namespace": namespace},
            "stringData": credentials.environment(ENDPOINT),
        },
    ]
    for manifest in manifests:
        cluster.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(manifest))


@contextmanager
def forwarded(cluster: Cluster) -> Iterator[str]:
    """The server's address as seen from this machine, for as long as the context lasts.

    Raises:
        CommandFailed: it cannot be reached.
    """
    (port,) = free_ports(1)
    command = [
        str(tool("kubectl")), "--kubeconfig", str(cluster.kubeconfig),
        "port-forward", f"--namespace={NAMESPACE}", "service/s3", f"{port}:7070", "--address=127.0.0.1",
    ]  # fmt: skip
    with forwarding(command):
        yield f"http://127.0.0.1:{port}"


def _image(cluster: Cluster) -> str:
    """Build the server's image unless it is made of this very program already: its label says of which."""
    ensure_tools("versitygw")
    made_of = fingerprint([_FOLDER / "Dockerfile", PROGRAMS["versitygw"].go_mod])
    engine = cluster.engine
    template = '{{index .Config.Labels "made-of"}}'
    if engine.has_image(_IMAGE) and engine.docker("image", "inspect", "--format", template, _IMAGE).strip() == made_of:
        return _IMAGE
    say(f"  building {_IMAGE}")
    with scratch_folder() as context:
        link_programs(context, ["versitygw"])
        dockerfile = (_FOLDER / "Dockerfile").read_text() + f"LABEL made-of={made_of}\n"
        (context / "Dockerfile").write_text(dockerfile)
        build_in(engine, context, "Dockerfile", _IMAGE)
    return _IMAGE


def _credentials(cluster: Cluster) -> Credentials | None:
    found = cluster.kubectl(
        "get", "secret", CREDENTIALS, f"--namespace={NAMESPACE}", "--ignore-not-found", "--output=json"
    )
    if not found:
        return None
    data = {name: base64.b64decode(value).decode() for name, value in json.loads(found)["data"].items()}
    return Credentials(data["AWS_ACCESS_KEY_ID"], data["AWS_SECRET_ACCESS_KEY"])
