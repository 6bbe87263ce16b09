"""The operator as a process of its own, with the rights that the chart gives it and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from modelyard_api.report import REPORT_PATH
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.daemons import free_ports
from modelyard_cluster.operator_by_hand import operator_command
from modelyard_cluster.tools import tool
from modelyard_operator.kube import paths

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "helm" / "modelyard"
RELEASE = "modelyard"
_PLACEHOLDER = "the-namespace"
TIDY_AFTER = 3.0
"""Seconds after its end until a Job is told when to expire."""
TRAINER_IMAGE = "trainer.example/modelyard:test"


@cache
def _rights(everywhere: bool) -> str:
    arguments = ["--show-only=templates/serviceaccount.yaml", "--show-only=templates/rbac.yaml"]
    arguments += [f"--namespace={_PLACEHOLDER}", *([] if everywhere else [f"--set=watchNamespaces[0]={_PLACEHOLDER}"])]
    command = [str(tool("helm")), "template", RELEASE, str(CHART), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rights(namespace: str, *, everywhere: bool = False) -> list[dict[str, Any]]:
    """The service account, roles and bindings that the chart makes in `namespace`, serving that one or all."""
    return list(yaml.safe_load_all(_rights(everywhere).replace(_PLACEHOLDER, namespace)))


def grant(plane: BareControlPlane, namespace: str, *, everywhere: bool = False) -> str:
    """Install `rights`, and return a token for them. What lies in no namespace is the caller's to `withdraw`."""
    for one in rights(namespace, everywhere=everywhere):
        plane.api.post(_collection(one), one)
    return plane.service_account_token(namespace, RELEASE, seconds=7200)


def withdraw(plane: BareControlPlane, namespace: str) -> None:
    """Remove those of the rights to everything that do not go with their namespace."""
    for one in rights(namespace, everywhere=True):
        if "namespace" not in one["metadata"]:
            plane.api.delete(f"{_collection(one)}/{one['metadata']['name']}")


def _collection(manifest: dict[str, Any]) -> str:
    group = "api/v1" if manifest["apiVersion"] == "v1" else f"apis/{manifest['apiVersion']}"
    namespace = manifest["metadata"].get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/{group}{within}/{manifest['kind'].lower()}s"


@dataclass
class OperatorProcess:
    """One replica that serves one namespace."""

    plane: BareControlPlane
    namespace: str
    token: str
    folder: Path
    name: str
    flags: dict[str, str] = field(default_factory=dict)
    probe_port: int = 0
    intake_port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def intake_url(self) -> str:
        return f"https://localhost:{self.intake_port}{REPORT_PATH}"

    def start(self, *, wait: bool = True) -> OperatorProcess:
        if not self.probe_port:
            self.probe_port, self.intake_port = free_ports(2)
        flags = {
            "trainer-image": TRAINER_IMAGE,
            "namespaces": self.namespace,
            "namespace": self.namespace,
            "lease-name": RELEASE,
            "identity": self.name,
            "bind-address": "127.0.0.1",
            "probe-port": str(self.probe_port),
            "intake-port": str(self.intake_port),
            "intake-url": f"https://localhost:{self.intake_port}",
            "retry-delay-seconds": "0.5",
            "lease-seconds": "4",
            "tidy-after-seconds": str(TIDY_AFTER),
            **self.flags,
        }
        environment = dict(os.environ) | {"KUBECONFIG": str(self.kubeconfig())}
        command = [*operator_command(), *(f"--{name}={value}" for name, value in flags.items())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        if wait:
            self.wait_until_ready()
        return self

    def kubeconfig(self) -> Path:
        """How it is told to reach the API server."""
        return self.plane.write_kubeconfig(self.folder / f"{self.name}.kubeconfig", self.token)

    def wait_until_ready(self, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while self.probe("/readyz")[0] != 200:
            assert self._process is not None
            assert self._process.poll() is None, f"the operator has ended: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"not ready: {self.probe('/readyz')}: {self.log.read_text()}"
            time.sleep(0.05)

    def probe(self, path: str) -> tuple[int, str]:
        """Status and body of a probe; (0, reason) where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probe_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name: str) -> float:
        """The value of one series, 0 where there is none yet."""
        for line in self.probe("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    @property
    def leads(self) -> bool:
        return self.metric("modelyard_leader") == 1

    def stop(self) -> float:
        """SIGTERM, and wait for the end. Returns the seconds that it took."""
        began = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL: it gets no chance to tidy up."""
        self._end(signal.SIGKILL)

    def thaw_and_kill(self) -> None:
        """End it whatever state a test has left it in."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()

    def freeze(self) -> None:
        """SIGSTOP: it neither works nor ends."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def lease_holder(self) -> str:
        lease = self.plane.api.get(paths.lease(self.namespace, RELEASE))
        return str(lease["spec"]["holderIdentity"])

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        self._process.wait(timeout=30)
