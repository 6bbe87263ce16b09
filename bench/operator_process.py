"""The operator as a process of its own, so that what it spends can be told from what the load spends."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard_cluster.daemons import free_ports
from modelyard_cluster.operator_by_hand import operator_command

from bench.usage import Usage, usage


class OperatorProcess:
    """A running operator, found ready."""

    def __init__(self, process: subprocess.Popen[bytes], probe_url: str) -> None:
        self._process = process
        self.probe_url = probe_url

    def usage(self) -> Usage:
        """What it has spent so far."""
        return usage(self._process.pid)


@contextmanager
def operator_process(kubeconfig: Path, log: Path) -> Iterator[OperatorProcess]:
    """An operator with the settings that the chart gives it, for as long as the block lasts.

    Raises:
        TimeoutError: it was not ready within a minute; its log tells why.
    """
    probe_port, intake_port = free_ports(2)
    command = [
        *operator_command(),
        "--trainer-image=trainer",
        "--namespace=default",
        "--bind-address=127.0.0.1",
        f"--probe-port={probe_port}",
        f"--intake-port={intake_port}",
        f"--intake-url=https://127.0.0.1:{intake_port}",
    ]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        probe_url = f"http://127.0.0.1:{probe_port}"
        _wait_until_ready(f"{probe_url}/readyz", process, log)
        yield OperatorProcess(process, probe_url)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"the operator was not ready; the end of its log: {log.read_text()[-2000:]}")
