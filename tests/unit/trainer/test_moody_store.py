"""A store that answers, but not as it should: what a person is told, and that it costs time and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from botocore import exceptions as botocore_errors
from modelyard_api.location import S3Location
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.patience import Patience
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.destination import S3Destination
from modelyard_trainer.store.errors import explain
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.s3 import Limits

from tests.unit.trainer.conftest import RealStore
from tests.unit.trainer.datasets import run_document
from tests.unit.trainer.moody import Front
from tests.unit.trainer.test_checkpoints import Yard, eventually, in_s3

HURRIED = Limits(read=1.0, attempts=1)
"""A store that keeps silent for a second is away."""
WHERE = "s3://models/a"


def answered(status: HTTPStatus, code: str, said: str = "") -> Exception:
    """What botocore raises for such an answer."""
    answer = {"Error": {"Code": code, "Message": said}, "ResponseMetadata": {"HTTPStatusCode": status.value}}
    return botocore_errors.ClientError(answer, "PutObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            answered(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown", "Reduce your request rate."),
            f"answered SlowDown for {WHERE} (Reduce your request rate)",
        ),
        (answered(HTTPStatus.SERVICE_UNAVAILABLE, "503"), f"answered 503 for {WHERE} ()"),
        (answered(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", "Oh"), f"answered InternalError for {WHERE} (Oh)"),
        (answered(HTTPStatus.GATEWAY_TIMEOUT, "504", "Gateway Timeout"), f"answered 504 for {WHERE} (Gateway Timeout)"),
        (answered(HTTPStatus.TOO_MANY_REQUESTS, "429", "Too Many"), f"answered 429 for {WHERE} (Too Many)"),
        (answered(HTTPStatus.BAD_REQUEST, "RequestTimeout", "Idle"), f"answered RequestTimeout for {WHERE} (Idle)"),
        (
            botocore_errors.ReadTimeoutError(endpoint_url="http://store"),
            f"cannot be reached for {WHERE} (ReadTimeoutError: Read timeout on endpoint URL",
        ),
        (
            botocore_errors.ConnectTimeoutError(endpoint_url="http://store"),
            f"cannot be reached for {WHERE} (ConnectTimeoutError: Connect timeout on endpoint URL",
        ),
        (
            botocore_errors.EndpointConnectionError(endpoint_url="http://store"),
            f"cannot be reached for {WHERE} (EndpointConnectionError: Could not connect to the endpoint URL",
        ),
        (
            botocore_errors.ConnectionClosedError(endpoint_url="http://store"),
            f"cannot be reached for {WHERE} (ConnectionClosedError: Connection was closed before we received",
        ),
    ],
    ids=["503 SlowDown", "503", "500", "504", "429", "400", "silent", "unanswered", "refused", "cut off"],
)
def test_whatever_passes_is_told_as_a_store_that_is_away(error: Exception, said: str) -> None:
    explained = explain(error, "artifacts", WHERE, "http://store")
    assert explained.message.startswith(f"spec.artifacts.s3: http://store {said}")
    assert explained.reason is Reason.STORE_UNREACHABLE
    assert EXIT_CODES[explained.reason] is ExitCode.STORE_UNREACHABLE


@pytest.fixture
def front(store: RealStore) -> Iterator[Front]:
    """Before versitygw."""
    found = Front(store.endpoint)
    with found.serving():
        yield found


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(
            lambda front: front.answers(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"), "answered SlowDown", id="busy"
        ),
        pytest.param(Front.stalls, "ReadTimeoutError", id="silent"),
    ],
)
def test_a_store_in_a_mood_delays_checkpoints_and_results_and_loses_none(
    spoil: Callable[[Front], None], said: str, front: Front, store: RealStore, tmp_path: Path
) -> None:
    prefix = tmp_path.name
    yard = Yard(lambda: in_s3(front.endpoint, tmp_path, prefix, HURRIED), tmp_path, tmp_path)
    pod = yard.pod(1)
    pod.save_safely(1)
    spoil(front)
    pod.save(2)
    eventually(lambda: said in pod.progress.now.notice)
    tried = len(front.spoilt)
    eventually(lambda: len(front.spoilt) > tried)
    assert pod.safe() == 1
    pod.write_best("second")
    pod.save(3)
    front.recovers()
    eventually(lambda: pod.safe() == 3)
    assert pod.keeper.close(20)
    assert not pod.progress.now.notice
    kept = Yard(lambda: in_s3(store.endpoint, tmp_path, prefix), tmp_path, tmp_path).pod(2).keeper.restore()
    assert kept is not None
    assert (kept.position, kept.files["best.pt"].read_text()) == (Position(3), "second")

    location = S3Location(uri=f"s3://models/{prefix}/", endpoint=front.endpoint)
    secret = store.credentials(tmp_path / "secret")
    opened = open_store(location, secret, in_cluster=True, what="artifacts", limits=HURRIED)
    patience = Patience(60, first=0.05, longest=0.2)
    destination = S3Destination(opened, run_document(), "pod-1", patience)
    patience.until_it_answers(destination.prepare, lambda _why: None)
    results = tmp_path / "results"
    results.mkdir()
    (results / "best.pt").write_text("second")
    progress, told = Progress(1, 1, 1), list[str]()

    def recover_in_the_end(detail: str) -> None:
        told.append(detail)
        if sum("the store is away" in each for each in told) == 2:
            front.recovers()

    progress.listen(lambda snapshot, _urgent: recover_in_the_end(snapshot.detail))
    spoil(front)
    published = destination.publish(results, progress, Interruption())
    assert sum("the store is away" in each for each in told) > 1
    below = f"{prefix}/vision/run/uid-1/pod-1/artifacts"
    sums = store.client().get_object(Bucket="models", Key=f"{below}/SHA256SUMS")["Body"].read().decode()
    assert parse_checksums(sums) == {"best.pt": sha256(results / "best.pt")}
    assert store.client().get_object(Bucket="models", Key=f"{below}/best.pt")["Body"].read() == b"second"
    assert [each.name for each in published.artifacts] == ["best.pt"]
    assert f"{prefix}/vision/run/uid-1/latest.json" in store.keys("models", prefix)
