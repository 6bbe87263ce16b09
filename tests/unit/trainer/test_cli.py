"""The commands of `modelyard` that need no training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from modelyard_api.loading import load_run
from modelyard_api.outcome import ExitCode
from modelyard_trainer.files import sha256
from modelyard_trainer.tasks.registry import load_task
from safetensors.numpy import save_file

from tests.unit.trainer.conftest import RealStore
from tests.unit.trainer.datasets import make_dataset

REPOSITORY = Path(__file__).resolve().parents[3]


def modelyard(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from modelyard_cli.main import main; main()", *arguments]
    return subprocess.run(
        command, env={**os.environ, "COLUMNS": "300", **environment}, capture_output=True, text=True, check=False
    )


def push(folder: Path, uri: str, store: RealStore) -> subprocess.CompletedProcess[str]:
    return modelyard(
        *("dataset", "push", str(folder), uri, "--endpoint", store.endpoint),
        AWS_ACCESS_KEY_ID=store.key_id,
        AWS_SECRET_ACCESS_KEY=store.secret,
    )


def test_a_data_set_is_pushed_once_with_its_checksums(store: RealStore, tmp_path: Path, prefix: str) -> None:
    folder = make_dataset(tmp_path / "made")
    first = push(folder, f"s3://datasets/{prefix}/", store)
    assert first.returncode == 0, first.stderr
    assert f"at s3://datasets/{prefix}/, SHA256SUMS last" in first.stderr
    wanted = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {key.removeprefix(f"{prefix}/") for key in store.keys("datasets", f"{prefix}/")} == wanted
    again = push(folder, f"s3://datasets/{prefix}/", store)
    assert again.returncode == ExitCode.USER_ERROR
    assert "is there already; a new version under another prefix would be right" in again.stderr


def test_weights_are_pushed_under_a_name_and_the_run_is_told_how_to_name_them(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    file = tmp_path / "a.safetensors"
    save_file({"conv1.weight": np.zeros((2, 2), np.float32)}, file)
    arguments = ("weights", "push", str(file), "--to", f"s3://models/{prefix}/", "--endpoint", store.endpoint)
    secret = {"AWS_ACCESS_KEY_ID": store.key_id, "AWS_SECRET_ACCESS_KEY": store.secret}
    pushed = modelyard(*arguments, "--name", "tiny-zeros", **secret)
    assert pushed.returncode == 0, pushed.stderr
    digest = sha256(file)
    assert f"1 tensors, {file.stat().st_size:,} bytes at s3://models/{prefix}/tiny-zeros/{digest}/" in pushed.stderr
    assert f"sha256: {digest}" in pushed.stderr
    keys = [key.removeprefix(f"{prefix}/tiny-zeros/") for key in store.keys("models", f"{prefix}/")]
    assert sorted(keys) == sorted([f"{digest}/a.safetensors", "latest.json"])
    refused = modelyard(*arguments, "--name", "../tiny", **secret)
    assert refused.returncode == ExitCode.USER_ERROR
    assert "--name: '../tiny' must be lower-case letters" in refused.stderr


def test_a_folder_that_does_not_match_its_checksums_is_not_pushed(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    folder = make_dataset(tmp_path / "made")
    (folder / "data.yaml").write_text("names: [cat]\n")
    refused = push(folder, f"s3://datasets/{prefix}/", store)
    assert refused.returncode == ExitCode.USER_ERROR
    assert "DatasetChecksumMismatch: data.yaml has the SHA-256" in refused.stderr
    assert not store.keys("datasets", f"{prefix}/")


def test_a_wrong_manifest_is_refused_with_the_field(tmp_path: Path) -> None:
    manifest = tmp_path / "run.yaml"
    manifest.write_text(
        (REPOSITORY / "examples" / "digits.yaml").read_text().replace("imageSize: 160", "imageSize: 161")
    )
    refused = modelyard("train", str(manifest), "--output", str(tmp_path / "out"))
    assert refused.returncode == ExitCode.USER_ERROR
    assert "spec.training.imageSize" in refused.stderr


def test_an_unknown_architecture_is_refused_with_the_nearest(tmp_path: Path) -> None:
    text = (REPOSITORY / "examples" / "digits.yaml").read_text().replace("yolov5nu", "yolov11n")
    (tmp_path / "run.yaml").write_text(text)
    make_dataset(tmp_path / "data")
    refused = modelyard(
        *("train", str(tmp_path / "run.yaml"), "--dataset", str(tmp_path / "data"), "--output", str(tmp_path / "out"))
    )
    assert refused.returncode == ExitCode.USER_ERROR
    assert (
        "ArchitectureUnknown: spec.model.architecture: ultralytics has no yolov11n; nearest are yolo11n"
        in refused.stderr
    )


def test_a_message_with_brackets_is_shown_whole(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data")
    (folder / "SHA256SUMS").unlink()
    (folder / "data.yaml").write_text("names: cat\n")
    refused = modelyard(
        *("train", str(REPOSITORY / "examples" / "digits.yaml")),
        *("--dataset", str(folder), "--output", str(tmp_path / "out")),
    )
    assert refused.returncode == ExitCode.USER_ERROR
    assert "such as [cat, dog] or {0: cat, 1: dog}" in refused.stderr


def test_results_never_mix_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("do not touch")
    make_dataset(tmp_path / "data")
    refused = modelyard(
        *("train", str(REPOSITORY / "examples" / "digits.yaml")),
        *("--dataset", str(tmp_path / "data"), "--output", str(tmp_path / "out")),
    )
    assert refused.returncode == ExitCode.USER_ERROR
    assert "out is not empty; a folder that is would be right" in refused.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in (REPOSITORY / "examples").glob("*.yaml")))
def test_every_example_is_a_right_run(name: str) -> None:
    spec = load_run((REPOSITORY / "examples" / name).read_text()).spec
    load_task(spec.task)
    assert spec.export
