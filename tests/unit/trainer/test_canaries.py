"""Credentials that would be recognised anywhere, in runs that end well and badly: they turn up nowhere."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument

from tests.unit.trainer.conftest import RealStore, free_port, serve_store, store_folder
from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.intake import RecordingIntake
from tests.unit.trainer.pod import Pod

MARK = "xyzzy"
KEY_ID, SECRET = "XYZZYKEYID0000000001", "xyzzy/secret+with=signs"
TOKEN = "xyzzy-session-token"
REPORT_TOKEN = "xyzzy-report-token"
PASSWORD = "xyzzy-password"


@dataclass
class Case:
    """What is wrong with the store or the Secret, and how the run is to end."""

    reason: Reason
    secret: dict[str, str] = field(default_factory=dict)
    endpoint: str | None = None
    bucket: str = "models"
    environment: dict[str, str] = field(default_factory=dict)


NOBODY = "http://127.0.0.1:1"
CASES = {
    "all is well": Case(Reason.COMPLETED),
    "a session that nobody knows": Case(Reason.CREDENTIALS_REFUSED, {"AWS_SESSION_TOKEN": TOKEN}),
    "another secret": Case(Reason.CREDENTIALS_REFUSED, {"AWS_SECRET_ACCESS_KEY": "xyzzy-another-secret"}),
    "an unknown key": Case(Reason.CREDENTIALS_REFUSED, {"AWS_ACCESS_KEY_ID": "XYZZYUNKNOWN"}),
    "a token on two lines": Case(Reason.CREDENTIALS_REFUSED, {"AWS_SESSION_TOKEN": f"{TOKEN}\n{TOKEN}"}),
    "no such bucket": Case(Reason.BUCKET_NOT_FOUND, bucket="elsewhere"),
    "nobody listens": Case(Reason.STORE_UNREACHABLE, endpoint=NOBODY),
    "a password in the address": Case(
        Reason.SPEC_INVALID, {"AWS_ENDPOINT_URL": f"http://xyzzy-user:{PASSWORD}@127.0.0.1:1"}, endpoint=""
    ),
    "a proxy that is away": Case(
        Reason.STORE_UNREACHABLE,
        environment={"HTTP_PROXY": NOBODY.replace("//", f"//xyzzy-user:{PASSWORD}@"), "NO_PROXY": ""},
    ),
    "a store that repeats what it is told": Case(Reason.CREDENTIALS_REFUSED, {"AWS_SESSION_TOKEN": TOKEN}, "echo"),
}


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStore]:
    """A store that only those credentials open, with a data set."""
    folder, port = store_folder(tmp_path_factory.mktemp("store")), free_port()
    with serve_store(folder, port, KEY_ID, SECRET):
        found = RealStore(f"http://127.0.0.1:{port}", folder, KEY_ID, SECRET)
        found.put_folder(make_dataset(tmp_path_factory.mktemp("data") / "set"), "datasets", "set")
        yield found


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The address of a store that refuses every request and says why, with all that it was sent."""
    with echoing() as address:
        yield address


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_credentials_turn_up_nowhere(case: Case, yard: RealStore, echo: str, tmp_path: Path) -> None:
    pod = Pod(tmp_path / "pod", environment=case.environment)
    with RecordingIntake(tmp_path / "intake") as intake:
        (tmp_path / "intake" / "token").write_text(f"{REPORT_TOKEN}\n")
        for folder in (pod.mount / "s3" / "dataset", pod.mount / "s3" / "artifacts"):
            yard.credentials(folder)
            for name, value in case.secret.items():
                (folder / name).write_text(value)
        process = pod.start(document_of(case, yard, echo, intake))
        _, log = process.communicate(timeout=60)
        reports = [report.model_dump_json() for report in intake.reports]
        tokens = {token for token, _ in intake.received}

    assert pod.message().reason is case.reason, log
    assert log
    assert tokens == {f"Bearer {REPORT_TOKEN}"}
    published = yard.keys("models")
    assert bool([key for key in published if key.startswith(f"{tmp_path.name}/") and "report.html" in key]) == (
        case.reason is Reason.COMPLETED
    )
    assert found_in("the log", log.encode()) == []
    assert found_in("reports", json.dumps(reports).encode()) == []
    assert found_below(pod.root, besides=pod.mount) == []
    assert [where for key in published for where in found_in(key, content(yard, key))] == []


def test_they_would_be_found(tmp_path: Path) -> None:
    hiding_places: dict[str, Callable[[str], str]] = {
        "as it is": str,
        "quoted": lambda text: quote(text, safe=""),
        "in other letters": str.upper,
        "encoded": lambda text: base64.b64encode(text.encode()).decode(),
    }
    for name, hide in hiding_places.items():
        (tmp_path / name).write_text(f"said: {hide(SECRET)}")
    assert len(found_below(tmp_path)) == len(hiding_places)
    assert found_below(tmp_path, besides=tmp_path) == []


def document_of(case: Case, yard: RealStore, echo: str, intake: RecordingIntake) -> RunDocument:
    endpoint = {None: yard.endpoint, "": None, "echo": echo}.get(case.endpoint, case.endpoint)
    secret = {"secretRef": {"name": "s3"}, **({"endpoint": endpoint} if endpoint else {})}
    document = run_document(
        dataset={"s3": {"uri": "s3://datasets/set/", **secret}},
        artifacts={"s3": {"uri": f"s3://{case.bucket}/{intake.folder.parent.name}/", **secret}},
    )
    return document.model_copy(update={"intake": intake.described()})


def content(yard: RealStore, key: str) -> bytes:
    return yard.client().get_object(Bucket="models", Key=key)["Body"].read()


def found_below(folder: Path, besides: Path | None = None) -> list[str]:
    """Files with a credential in their content or name."""
    files = [path for path in folder.rglob("*") if path.is_file() and not (besides and path.is_relative_to(besides))]
    return [where for path in files for where in found_in(str(path), path.name.encode() + b"\n" + path.read_bytes())]


def found_in(where: str, content: bytes) -> list[str]:
    """`where`, if a credential is there in any of its forms."""
    secrets = (KEY_ID, SECRET, TOKEN, REPORT_TOKEN, PASSWORD)
    encoded = [base64.b64encode(each.encode()).rstrip(b"=")[:-1] for each in secrets]
    return [where] if MARK.encode() in content.lower() or any(each in content for each in encoded) else []


@contextmanager
def echoing() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = " ".join(f"{name}: {value}" for name, value in self.headers.items())
            body = f"<Error><Code>InvalidAccessKeyId</Code><Message>{said}</Message></Error>".encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
