"""Cleaning up takes away what is ours, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_cluster import clean, demo, kind
from modelyard_cluster.cache import MARKER, cache_folder, state_folder
from modelyard_cluster.shell import CommandFailed


@pytest.mark.parametrize(("variable", "folder"), [("MODELYARD_CACHE", cache_folder), ("MODELYARD_STATE", state_folder)])
def test_a_folder_with_files_of_others_is_refused(
    variable: str, folder: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(folder)
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "thesis.tex").write_text("do not touch")
    (tmp_path / "go").mkdir()
    with pytest.raises(CommandFailed, match=r"holds what is not Modelyard's, such as .*would be right"):
        folder()
    assert not (tmp_path / MARKER).exists()


def test_a_folder_that_was_ours_once_stays_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_STATE", str(tmp_path / "new"))
    assert state_folder() == tmp_path / "new"
    (tmp_path / "new" / "bare").mkdir()
    assert state_folder() == tmp_path / "new"


@pytest.mark.parametrize("name", ["uv-tool", "mypy", "stamps"])
def test_a_cache_that_make_and_the_tests_began_is_taken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path))
    (tmp_path / name).mkdir()
    assert cache_folder() == tmp_path


def test_a_cache_beside_a_kubeconfig_in_another_place_is_not_kubectls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "modelyard"))
    kubectl = tmp_path / "modelyard" / "bin" / "kubectl"
    kubectl.parent.mkdir(parents=True)
    kubectl.write_text("#!/bin/sh\n")  # says nothing: the kubeconfig is empty
    kubectl.chmod(0o755)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "photos").write_text("do not touch")
    (tmp_path / "config").write_text("{}")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    kind._forget_context("kind-modelyard")
    assert not (tmp_path / "config").exists()
    assert (tmp_path / "cache" / "photos").exists()


@pytest.mark.parametrize("others", [[], ["wheel"]])
def test_the_demos_artifacts_go_and_build_stays_only_with_files_of_others(
    others: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tmp_path / "build"
    monkeypatch.setattr(demo, "RESULTS", build / "demo")
    (build / "demo" / "digits").mkdir(parents=True)
    for name in others:
        (build / name).touch()
    clean._remove_results()
    assert [entry.name for entry in tmp_path.glob("build/*")] == others
    assert build.exists() == bool(others)
    clean._remove_results()
