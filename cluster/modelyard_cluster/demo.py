"""The demo: from a bare machine to a trained model, with its checksums, out of a Kubernetes cluster of one's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import engine as engines
from . import images, kind, objectstore, preflight
from .cache import REPOSITORY
from .console import Steps, fail, say
from .install import install
from .kind import Cluster
from .live_table import live_table
from .load import load
from .namespaces import restrict
from .node_image import PROGRAMS_INSIDE, available_node_image
from .objectstore import Credentials
from .shell import CommandFailed, run
from .tools import ensure_tools, tool

RESULTS = REPOSITORY / "build" / "demo"
_EXAMPLE = REPOSITORY / "examples" / "digits.yaml"
_TRAINING_MINUTES = 30


def demo() -> None:
    """Do all of it, each step announced; what is there already is used as it is.

    Raises:
        SystemExit: the machine lacks something, or the run failed.
        CommandFailed: a step failed.
    """
    preflight.check()
    step = Steps(9)
    with step("Starting a Docker engine"):
        engine = engines.up()
    with step("Building kind, Kubernetes, helm and an S3 server from their Go modules, where they are not built yet"):
        ensure_tools(*preflight.BESIDE_A_CLUSTER, *(() if available_node_image(engine) else PROGRAMS_INSIDE))
    with step("Building the images of the operator, the trainer (6 GB, with torch) and the data set"):
        images.build(engine, images.OPERATOR)
        trainer = images.build(engine, images.TRAINER)
        dataset = images.build(engine, images.DATASET)
    with step("Making a Kubernetes cluster with kind: a control plane, and a worker that offers GPUs"):
        cluster = kind.up()
        load(cluster, trainer, cluster.workers())
    with step("Starting the S3 server"):
        credentials = objectstore.deploy(cluster)
    with step("Installing Modelyard with helm"):
        install(cluster, trainer)
        example = _Example(cluster)
        _prepare(cluster, example.namespace, credentials)
    with step("Making the data set and uploading it"), _s3_client(cluster, dataset, credentials) as client:
        client("make_dataset.py /tmp/digits && python bucket.py upload /tmp/digits " + example.dataset_uri)
        client("bucket.py make " + example.artifacts_uri)
    with step("Training"):
        example.start()
        example.follow()
    with step("Fetching the artifacts and checking them"), _s3_client(cluster, dataset, credentials) as client:
        folder = RESULTS / example.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        client(f"bucket.py download {example.published()} /results", folder)
        say(run("sha256sum", "--check", "SHA256SUMS", cwd=folder).rstrip())
    say(
        f"\nThe model lies in {folder}; open report.html there.\n"
        "The cluster is yours, and kubectl's current context. Try:\n"
        "  kubectl get trainingruns --all-namespaces\n"
        f"  kubectl describe trainingrun {example.name} --namespace {example.namespace}\n"
        f"  kubectl apply --namespace {example.namespace} -f examples/first-run.yaml\n"
        "`make demo-clean` ends it and removes the model: copy what you want to keep."
    )


class _Example:
    """The TrainingRun of examples/digits.yaml."""

    def __init__(self, cluster: Cluster) -> None:
        """Read the manifest as kubectl does: this program has no YAML parser."""
        self._cluster = cluster
        manifest = json.loads(cluster.kubectl("create", "--dry-run=client", "--output=json", f"--filename={_EXAMPLE}"))
        self.name: str = manifest["metadata"]["name"]
        self.namespace: str = manifest["metadata"]["namespace"]
        self.dataset_uri: str = manifest["spec"]["dataset"]["s3"]["uri"]
        self.artifacts_uri: str = manifest["spec"]["artifacts"]["s3"]["uri"]

    def start(self) -> None:
        """`kubectl apply`, after an earlier demo's run is gone; its files in S3 stay."""
        self._kubectl("delete", "trainingrun", self.name, "--ignore-not-found", "--wait")
        say(f"  kubectl apply -f {_EXAMPLE.relative_to(REPOSITORY)}")
        self._kubectl("apply", f"--filename={_EXAMPLE}")

    def follow(self) -> None:
        """Show the table until the run is finished.

        Raises:
            SystemExit: it failed.
        """
        command = (tool("kubectl"), "--kubeconfig", self._cluster.kubeconfig, f"--namespace={self.namespace}")
        say(f"  kubectl get trainingrun {self.name} --namespace {self.namespace} --watch\n")
        with live_table([*map(str, command), "get", "trainingrun", self.name, "--watch"], ("Complete", "Failed")):
            try:
                self._kubectl(
                    "wait", f"trainingrun/{self.name}", "--for=condition=Finished", f"--timeout={_TRAINING_MINUTES}m"
                )
            except CommandFailed:
                raise fail(
                    f"The run has not finished after {_TRAINING_MINUTES} minutes; "
                    f"`kubectl describe trainingrun {self.name} --namespace {self.namespace}` says where it is."
                ) from None
        say("")
        if self._field("{.status.phase}") != "Complete":
            raise fail(f"The run failed: {self._field('{.status.reason}')}: {self._field('{.status.message}')}")

    def published(self) -> str:
        """The URI of the folder that holds the published files."""
        return self._field("{.status.artifactsUri}")

    def _field(self, path: str) -> str:
        return self._kubectl("get", "trainingrun", self.name, f"--output=jsonpath={path}")

    def _kubectl(self, *arguments: str) -> str:
        return self._cluster.kubectl(f"--namespace={self.namespace}", *arguments)


class _Client:
    """Programs of the data set's image, with the S3 server in reach."""

    def __init__(self, cluster: Cluster, image: str, environment: dict[str, str]) -> None:
        self._cluster, self._image, self._environment = cluster, image, environment

    def __call__(self, script: str, results: Path | None = None) -> None:
        """Run `python SCRIPT`, `results` being its folder /results; what it prints is shown."""
        output = self._cluster.engine.docker(
            "run", "--rm", "--network=host", "--user=0:0", "--entrypoint=sh",
            *(word for name in self._environment for word in ("--env", name)),
            *(("--volume", f"{results}:/results") if results else ()),
            self._image, "-c", f"python {script}",
            env=self._environment,
        )  # fmt: skip
        if output:
            say(output.rstrip())


@contextmanager
def _s3_client(cluster: Cluster, image: str, credentials: Credentials) -> Iterator[_Client]:
    with objectstore.forwarded(cluster) as endpoint:
        yield _Client(cluster, image, credentials.environment(endpoint))


def _prepare(cluster: Cluster, namespace: str, credentials: Credentials) -> None:
    """A namespace for runs, which admits only pods without rights, with the S3 credentials that runs name."""
    objectstore.give_credentials(cluster, namespace, credentials)
    restrict(cluster, namespace)
