"""Runs that cannot be: they fail in seconds, once, with a reason for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from modelyard_api.layout import CLAIM

from tests.e2e import datasets
from tests.e2e.datasets import Change, with_bytes, with_line
from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, condition_of
from tests.e2e.training_runs import BUCKET, Story
from tests.e2e.yard import Yard

LABEL, PICTURE = "digits-00003.txt", "images/digits-00005.jpg"
A_LABEL = f"labels/{LABEL}"
SECONDS_AT_MOST = 20


@dataclass(frozen=True)
class Bad:
    """What is wrong, and what has to be said of it.

    Attributes:
        says: pieces of the message, which names the place.
        change: what is done to the data set.
        spec: what is written in the spec, as a path with dots.
        summed: whether the data set's SHA256SUMS knows of the change.
    """

    name: str
    reason: str
    says: tuple[str, ...]
    change: Change | None = None
    spec: tuple[str, object] | None = None
    summed: bool = True


BAD = (
    Bad("label-malformed", "LabelInvalid", (A_LABEL, "line 2"), with_line(LABEL, 2, "3 .5 half .1 .1")),
    Bad("class-out-of-range", "LabelInvalid", (A_LABEL, "line 3", "10"), with_line(LABEL, 3, "10 .5 .5 .1 .1")),
    Bad("box-outside", "LabelInvalid", (A_LABEL, "line 1", "outside"), with_line(LABEL, 1, "1 .95 .5 .3 .1")),
    Bad("picture-unreadable", "ImageUnreadable", (PICTURE,), with_bytes(PICTURE, b"not a picture")),
    Bad("no-pictures", "DatasetEmpty", ("images",), datasets.without_pictures),
    Bad("checksum-wrong", "DatasetChecksumMismatch", (PICTURE, "SHA256SUMS"), with_bytes(PICTURE, b"x"), summed=False),
    Bad("bucket-missing", "BucketNotFound", ("nowhere",), spec=("dataset.s3.uri", "s3://nowhere/digits/v1/")),
    Bad("prefix-missing", "DatasetNotFound", ("nothing",), spec=("dataset.s3.uri", f"s3://{BUCKET}/nothing/v1/")),
    Bad("secret-missing", "CredentialsMissing", ("absent",), spec=("dataset.s3.secretRef.name", "absent")),
    Bad("secret-wrong", "CredentialsRefused", (BUCKET,), spec=("dataset.s3.secretRef.name", "s3-wrong")),
    Bad("results-nowhere", "BucketNotFound", ("artifacts", "nowhere"), spec=("artifacts.s3.uri", "s3://nowhere/")),
    Bad("architecture-unknown", "ArchitectureUnknown", ("liniar", "linear"), spec=("model.architecture", "liniar")),
)
QUICK = (
    "label-malformed",
    "checksum-wrong",
    "bucket-missing",
    "secret-missing",
    "secret-wrong",
    "architecture-unknown",
)
"""One of each kind for every day; the others differ from them only in what the trainer's unit tests cover."""


def _cases() -> list[object]:
    return [pytest.param(bad, id=bad.name, marks=() if bad.name in QUICK else pytest.mark.long) for bad in BAD]


@pytest.fixture(scope="module")
def runs(
    yard: Yard, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Mapping[str, LiveRun]:
    """All bad runs that this session asks for, and a sound one, applied in one go."""
    folder = tmp_path_factory.mktemp("bad")
    _make_wrong_secret(yard)
    stories = [yard.quick("sound"), *(_story(yard, bad, small_dataset, folder) for bad in _selected(request.session))]
    return {run.name: run for run in yard.start(*stories)}


@pytest.mark.parametrize("bad", _cases())
def test_fails_in_seconds_with_a_sentence(yard: Yard, runs: Mapping[str, LiveRun], bad: Bad) -> None:
    """What cannot be trained fails at once, once, and says what, where and what would be right."""
    run = runs[bad.name]
    status = run.wait("Failed")
    (attempt,) = status["attempts"]
    failed = condition_of(status, "Failed")

    assert (status["phase"], status["reason"], failed["reason"]) == ("Failed", bad.reason, bad.reason)
    for piece in bad.says:
        assert piece in status["message"]
    assert failed["message"] == status["message"]
    assert attempt["exitCode"] == 10
    assert _seconds(attempt) <= SECONDS_AT_MOST
    assert len(run.jobs()) == 1
    assert status.get("artifacts", []) == []
    uid = yard.kubectl.get("trun", run.name)["metadata"]["uid"]
    left = yard.store.keys(f"s3://models/vision/{run.name}/{uid}/")
    assert [key for key in left if not key.endswith(f"/{CLAIM}")] == []


def test_a_sound_run_beside_them_completes(runs: Mapping[str, LiveRun]) -> None:
    """Nothing that is wrong with one run disturbs another."""
    assert runs["sound"].wait("Complete")["currentAttempt"] == 1


def _selected(session: pytest.Session) -> list[Bad]:
    """The cases that -m and -k have left."""
    found = (getattr(getattr(item, "callspec", None), "params", {}).get("bad") for item in session.items)
    return [bad for bad in found if isinstance(bad, Bad)]


def _story(yard: Yard, bad: Bad, sound: Path, folder: Path) -> Story:
    story = yard.quick(bad.name)
    if bad.change is not None:
        uri = f"s3://{BUCKET}/bad/{bad.name}/"
        yard.store.upload(datasets.spoilt(sound, folder / bad.name, bad.change, summed=bad.summed), uri)
        story = story.from_dataset(uri)
    if bad.spec is not None:
        path, value = bad.spec
        story = story.having(value, *path.split("."))
    return story


def _make_wrong_secret(yard: Yard) -> None:
    right: Object = yard.kubectl.get("secret", "s3")
    data = {**right["data"], "AWS_SECRET_ACCESS_KEY": "d3Jvbmc="}
    yard.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3-wrong"}, "data": data})


def _seconds(attempt: Object) -> float:
    began, ended = (datetime.fromisoformat(attempt[key]) for key in ("runningAt", "endedAt"))
    return (ended - began).total_seconds()
