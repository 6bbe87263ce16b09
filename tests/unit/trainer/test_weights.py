"""Weights to start from: where they come from, what may be in them, and what a network takes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import Any

import pytest
import torch
from modelyard_api.location import S3Location
from modelyard_api.outcome import Reason
from modelyard_api.run_document import DATASET_VOLUME_FOLDER, MOUNT, WEIGHTS_VOLUME_FOLDER
from modelyard_api.spec import Dataset
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import format_checksums, sha256
from modelyard_trainer.loop.freezing import Stages, children_as_stages, head_of
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.push_weights import push_weights
from modelyard_trainer.store.s3 import S3Store
from modelyard_trainer.weights.begin import begin_with
from modelyard_trainer.weights.download import download
from modelyard_trainer.weights.fetch import fetch_weights
from modelyard_trainer.weights.model import FetchedWeights, Start
from modelyard_trainer.weights.reading import read_weights
from safetensors.torch import save_file
from torch import nn

from tests.unit.trainer.conftest import RealStore, free_port
from tests.unit.trainer.datasets import make_dataset, run_document


def network(classes: int, seed: int = 0) -> nn.Sequential:
    """Two layers that are the backbone, and one whose rows are the classes."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))


def stages(model: nn.Module) -> Stages:
    return children_as_stages(model, head=("2",))


def saved(path: Path, content: Mapping[str, Any]) -> FetchedWeights:
    torch.save(dict(content), path)
    return FetchedWeights(path, f"s3://weights/{path.name}", sha256(path))


def begun(model: nn.Module, file: FetchedWeights, classes: tuple[str, ...]) -> Start:
    parts = stages(model)
    return begin_with(file, model, parts, classes=classes, rows=head_of(model, parts), name="resnet18")


def fetched(tmp_path: Path, store: RealStore | None = None, **model: Any) -> FetchedWeights:
    places = Places(tmp_path / "scratch", tmp_path / "mount", in_cluster=False)
    if store is not None:
        store.credentials(places.weights_credentials)
    document = run_document(model={"architecture": "yolov5nu", **model})
    found = fetch_weights(document, places, Progress(1, 1, 1))
    assert found is not None
    return found


def opened(store: RealStore, tmp_path: Path, prefix: str) -> S3Store:
    location = S3Location(uri=f"s3://models/{prefix}/", endpoint=store.endpoint)
    return open_store(location, store.credentials(tmp_path / "secret"), in_cluster=True, what="model.pretrained")


# What a network takes


@pytest.mark.parametrize("wrapping", ["", "state_dict", "model", "model_state_dict", "state_dict_ema"])
def test_a_state_dict_is_found_in_whatever_it_is_wrapped_in(tmp_path: Path, wrapping: str) -> None:
    other, model = network(3, seed=1), network(3)
    state = {f"module.{name}": tensor for name, tensor in other.state_dict().items()}
    content = {wrapping: state, "epoch": 7, "optimizer": {"lr": 0.1}} if wrapping else state
    start = begun(model, saved(tmp_path / "a.pth", content), ("a", "b", "c"))
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert (start.taken, start.tensors, start.anew, start.left_out) == (9, 9, (), ())


def test_safetensors_are_read_and_halves_become_floats(tmp_path: Path) -> None:
    other, model = network(3, seed=1).half(), network(3)
    path = tmp_path / "a.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in other.state_dict().items()}, path)
    begun(model, FetchedWeights(path, str(path), sha256(path)), ("a", "b", "c"))
    weight = model.state_dict()["0.weight"]
    assert weight.dtype is torch.float32
    assert torch.equal(weight, other.state_dict()["0.weight"].float())


def test_a_head_of_other_classes_begins_at_random_and_that_is_said(tmp_path: Path) -> None:
    model = network(3)
    head = model.state_dict()["2.weight"].clone()
    start = begun(model, saved(tmp_path / "imagenet.pth", network(1000, seed=1).state_dict()), ("a", "b", "c"))
    assert torch.equal(model.state_dict()["2.weight"], head)
    digest = sha256(tmp_path / "imagenet.pth")
    assert start.notice == (
        f"the weights at the start: 7 of 9 tensors are of s3://weights/imagenet.pth (SHA-256 {digest[:12]}…); begun at "
        "random: 2.weight, 2.bias"
    )
    assert Start.of(start.state()) == start


def test_of_classes_that_a_file_of_ours_names_the_common_ones_are_taken(tmp_path: Path) -> None:
    other, model = network(3, seed=1), network(4)
    before = model.state_dict()["2.weight"].clone()
    file = saved(
        tmp_path / "best.pt",
        {
            "format": "modelyard/classification/v1",
            "names": {0: "cat", 1: "dog", 2: "owl"},
            "state_dict": other.state_dict(),
        },
    )
    start = begun(model, file, ("owl", "bat", "cat", "emu"))
    rows, others = model.state_dict()["2.weight"], other.state_dict()["2.weight"]
    assert torch.equal(rows[0], others[2])
    assert torch.equal(rows[2], others[0])
    assert torch.equal(rows[1], before[1])
    assert start.adapted == ("2.weight", "2.bias")


def test_classes_in_another_order_are_not_mixed_up(tmp_path: Path) -> None:
    other, model = network(2, seed=1), network(2)
    file = saved(
        tmp_path / "best.pt",
        {"format": "modelyard/detection/v1", "names": {0: "cat", 1: "dog"}, "state_dict": other.state_dict()},
    )
    begun(model, file, ("dog", "cat"))
    assert torch.equal(model.state_dict()["2.bias"], other.state_dict()["2.bias"].flip(0))


def test_weights_of_another_network_are_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = saved(
        tmp_path / "alexnet.pth", {"features.0.weight": torch.zeros(64, 3), "features.0.bias": torch.zeros(64)}
    )
    with pytest.raises(RunError) as refusal:
        begun(network(3), file, ("a", "b", "c"))
    assert refusal.value.reason is Reason.WEIGHTS_DO_NOT_FIT
    assert refusal.value.message == (
        "s3://weights/alexnet.pth does not fit resnet18: it has 0 of the 4 tensors of its backbone, by name and shape; "
        "nearest to 0.weight is features.0.weight (64x3); weights of resnet18 would be right"
    )


# What may be in a file


class Program:
    """What would run if it were unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (print, ("it ran",))


def test_a_file_with_a_program_is_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(tmp_path / "a.pt", {"model": Program()})
    with pytest.raises(RunError) as refusal:
        read_weights(file)
    assert refusal.value.reason is Reason.WEIGHTS_INVALID
    assert "a.pt asks for" in refusal.value.message
    assert "none of it was run" in refusal.value.message
    assert not capsys.readouterr().out


@pytest.mark.parametrize(("content", "said"), [(b"", "is not a file of torch.save"), (b"GGUF", "is not a file of")])
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(RunError, match=said):
        read_weights(FetchedWeights(path, str(path), ""))


def test_a_broken_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(RunError, match=r"a\.safetensors is not a file of safetensors"):
        read_weights(FetchedWeights(path, str(path), ""))


# Where it comes from


def test_a_file_in_place_must_have_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"weights")
    assert fetched(tmp_path, pretrained={"path": str(path), "sha256": sha256(path)}).path == path
    with pytest.raises(RunError) as refusal:
        fetched(tmp_path, pretrained={"path": str(path), "sha256": "0" * 64})
    assert refusal.value.reason is Reason.WEIGHTS_INVALID
    assert refusal.value.message == (
        f"spec.model.pretrained.path: {path} has SHA-256 {sha256(path)}, but should have {'0' * 64}"
    )


def test_pushed_weights_are_found_by_name_and_older_versions_by_digest(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    to, digests = opened(store, tmp_path, prefix), []
    for seed in (1, 2):
        torch.save(network(3, seed).state_dict(), tmp_path / "a.pth")
        pushed = push_weights(to, tmp_path / "a.pth", lambda _said: None)
        assert (pushed.tensors, pushed.new) == (9, True)
        digests.append(pushed.sha256)
    assert not push_weights(to, tmp_path / "a.pth", lambda _said: None).new
    s3 = {"uri": f"s3://models/{prefix}/", "endpoint": store.endpoint}
    newest = fetched(tmp_path, store, pretrained={"s3": s3})
    assert newest.sha256 == digests[1]
    assert newest.origin == f"s3://models/{prefix}/{digests[1]}/a.pth"
    assert fetched(tmp_path, store, pretrained={"s3": s3, "sha256": digests[0]}).sha256 == digests[0]
    one = {**s3, "uri": newest.origin}
    assert fetched(tmp_path, store, pretrained={"s3": one}).sha256 == digests[1]
    with pytest.raises(RunError, match=f"has no version with SHA-256 {'0' * 64}"):
        fetched(tmp_path, store, pretrained={"s3": s3, "sha256": "0" * 64})


def test_what_no_run_could_read_is_not_pushed(store: RealStore, tmp_path: Path, prefix: str) -> None:
    saved(tmp_path / "a.pt", {"model": Program()})
    with pytest.raises(RunError, match="none of it was run"):
        push_weights(opened(store, tmp_path, prefix), tmp_path / "a.pt", lambda _said: None)
    assert not store.keys("models", f"{prefix}/")


def test_a_name_that_nobody_gave_is_refused(store: RealStore, tmp_path: Path, prefix: str) -> None:
    s3 = {"uri": f"s3://models/{prefix}/", "endpoint": store.endpoint}
    with pytest.raises(RunError) as refusal:
        fetched(tmp_path, store, pretrained={"s3": s3})
    assert refusal.value.reason is Reason.WEIGHTS_NOT_FOUND
    assert f"there are no weights of that name at s3://models/{prefix}/" in refusal.value.message


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of a web server over a folder with the file a.pth."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.pth").write_bytes(b"weights")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_download_has_the_digest_of_what_came(served: str, tmp_path: Path) -> None:
    path = tmp_path / "scratch" / "a.pth"
    digest = download(f"{served}/a.pth", path, Progress(1, 1, 1))
    assert path.read_bytes() == b"weights"
    assert digest == sha256(path)


def test_a_download_that_is_not_there_is_the_users_and_one_out_of_reach_is_tried_again(
    served: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="the server answered 404") as missing:
        download(f"{served}/b.pth", tmp_path / "b.pth", Progress(1, 1, 1))
    assert missing.value.reason is Reason.WEIGHTS_NOT_FOUND
    with pytest.raises(RunError, match="cannot be reached from here") as away:
        download(f"http://127.0.0.1:{free_port()}/a.pth", tmp_path / "a.pth", Progress(1, 1, 1))
    assert away.value.reason is Reason.STORE_UNREACHABLE


def published(folder: Path, *names: str) -> Path:
    """A folder as a run publishes it."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    digests = {name: sha256(folder / name) for name in names}
    (folder / "SHA256SUMS").write_text(format_checksums(digests))
    return folder


def test_published_weights_are_those_that_the_checksums_name(store: RealStore, tmp_path: Path, prefix: str) -> None:
    folder = published(tmp_path / "run", "best.pt", "last.pt", "run.json")
    assert fetched(tmp_path, None, **{"from": {"path": str(folder)}}).path == folder / "best.pt"
    assert fetched(tmp_path, None, **{"from": {"path": str(folder), "weights": "last"}}).path == folder / "last.pt"
    store.put_folder(folder, "models", prefix)
    s3 = {"uri": f"s3://models/{prefix}", "endpoint": store.endpoint}
    found = fetched(tmp_path, store, **{"from": {"s3": s3}})
    assert (found.origin, found.sha256) == (f"s3://models/{prefix}/best.pt", sha256(folder / "best.pt"))
    (folder / "best.pt").write_bytes(b"another")
    with pytest.raises(RunError, match="but should have"):
        fetched(tmp_path, None, **{"from": {"path": str(folder)}})


def test_a_folder_without_checksums_or_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="is not what a run has published: it has no SHA256SUMS"):
        fetched(tmp_path, None, **{"from": {"path": str(tmp_path / "empty")}})
    folder = published(tmp_path / "report", "run.json")
    with pytest.raises(RunError, match=r"has no best\.pt, which runs that train or export publish; it has run\.json"):
        fetched(tmp_path, None, **{"from": {"path": str(folder)}})


def test_another_run_is_only_known_to_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="only a cluster knows where run digits-v1 has published its results"):
        fetched(tmp_path, None, **{"from": {"run": "digits-v1"}})


# Volumes


def mounted(tmp_path: Path, folder: PurePosixPath) -> tuple[Places, Path]:
    """A pod's places, with a folder where the operator mounts a volume."""
    volume = tmp_path / "mount" / folder.relative_to(MOUNT)
    volume.mkdir(parents=True)
    return Places(tmp_path / "scratch", tmp_path / "mount", in_cluster=True), volume


def test_weights_lie_on_a_volume_that_is_mounted(tmp_path: Path) -> None:
    places, volume = mounted(tmp_path, WEIGHTS_VOLUME_FOLDER)
    (volume / "resnet").mkdir()
    file = saved(volume / "resnet" / "best.pt", network(2).state_dict())
    (volume / "resnet" / "SHA256SUMS").write_text(format_checksums({"best.pt": file.sha256}))
    for start in (
        {"pretrained": {"volume": {"claimName": "a", "path": "resnet/best.pt"}, "sha256": file.sha256}},
        {"from": {"volume": {"claimName": "a", "path": "resnet"}}},
    ):
        document = run_document(model={"architecture": "resnet18", **start})
        found = fetch_weights(document, places, Progress(1, 1, 1))
        assert found == FetchedWeights(file.path, str(file.path), file.sha256)
    (volume / "resnet" / "best.pt").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"spec.model.from.volume: .* has SHA-256 .*, but should have"):
        fetch_weights(document, places, Progress(1, 1, 1))


def test_a_volume_is_known_to_a_cluster_only(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="only a cluster knows the claim a; s3 or path would be right") as ended:
        fetched(tmp_path, pretrained={"volume": {"claimName": "a", "path": "a.pth"}})
    assert ended.value.reason is Reason.SPEC_INVALID


def test_pictures_lie_on_a_volume_that_is_mounted(tmp_path: Path) -> None:
    places, volume = mounted(tmp_path, DATASET_VOLUME_FOLDER)
    make_dataset(volume / "v1")
    wanted = Dataset.model_validate({"volume": {"claimName": "a", "path": "v1"}})
    assert fetch(wanted, places, Progress(1, 1, 1), cpus=1).folder == volume / "v1"
    elsewhere = Dataset.model_validate({"volume": {"claimName": "a", "path": "v2"}})
    with pytest.raises(RunError, match=r"^spec.dataset.volume.path: claim a has no folder v2$") as ended:
        fetch(elsewhere, places, Progress(1, 1, 1), cpus=1)
    assert ended.value.reason is Reason.DATASET_NOT_FOUND
