"""A real S3 store for the trainer's tests, and small data sets."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from tests.unit.trainer.datasets import make_dataset

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_KEY_ID, _SECRET = "modelyard-test", "modelyard-test-secret"


@dataclass(frozen=True)
class RealStore:
    """A running versitygw, how to get in, and where it keeps its files."""

    endpoint: str
    folder: Path
    key_id: str = _KEY_ID
    secret: str = _SECRET

    def client(self) -> S3Client:
        """A plain client, to look at what the trainer wrote."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def credentials(self, folder: Path) -> Path:
        """The files of a Secret, as they are mounted in a pod."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "AWS_ACCESS_KEY_ID").write_text(self.key_id)
        (folder / "AWS_SECRET_ACCESS_KEY").write_text(self.secret)
        return folder

    def put_folder(self, folder: Path, bucket: str, prefix: str) -> None:
        """Upload every file, SHA256SUMS among them."""
        client = self.client()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of all objects below a prefix."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStore]:
    """versitygw on a free loopback port, with the buckets `datasets` and `models`."""
    folder, port = store_folder(tmp_path_factory.mktemp("store")), free_port()
    with serve_store(folder, port):
        yield RealStore(f"http://127.0.0.1:{port}", folder)


def store_folder(folder: Path) -> Path:
    """The folder with the buckets `datasets` and `models`."""
    (folder / "datasets").mkdir(parents=True)
    (folder / "models").mkdir()
    return folder


@contextmanager
def serve_store(folder: Path, port: int, key_id: str = _KEY_ID, secret: str = _SECRET) -> Iterator[None]:
    """versitygw over a folder, on a loopback port, until the block ends."""
    binary = Path(os.environ.get("MODELYARD_CACHE", "/var/cache/modelyard")) / "bin" / "versitygw"
    if not binary.exists():
        pytest.fail(f"{binary} is missing; `make tools` builds it")
    command = [str(binary), "--quiet", "--port", f"127.0.0.1:{port}", "--access", key_id, "--secret", secret]
    with subprocess.Popen(
        [*command, "posix", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()


@pytest.fixture
def dataset_folder(tmp_path: Path) -> Path:
    """A sound data set of ten pictures."""
    return make_dataset(tmp_path / "dataset")


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A place in the buckets of the test's own."""
    name: str = request.node.name
    return name.replace("[", "-").replace("]", "").replace(" ", "-")[:60]


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """An environment in which the ordinary AWS chain finds nothing, and asks no metadata service either."""

    def clear() -> None:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    return clear


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            said = process.stderr.read().decode() if process.stderr else ""
            pytest.fail(f"versitygw ended with {process.returncode}: {said}")
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("versitygw does not listen after 10 s")
