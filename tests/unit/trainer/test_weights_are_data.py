"""Whoever can write to the bucket can change what is resumed from, and must not thereby run anything."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.checkpoints.folder import FolderShelf
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.checkpoints.state import read_state
from modelyard_trainer.files import sha256
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint

from tests.unit.trainer.test_checkpoints import Yard


class Payload:
    """Pickled, it is a call of `function`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def touching(path: Path) -> dict[str, Payload]:
    """Payloads that create `path`, each in another way."""
    return {
        "a shell": Payload(__import__("posix").system, f"touch {path}"),
        "a process": Payload(subprocess.check_call, ["touch", str(path)]),
        "a file": Payload(open, str(path), "w"),
        "code": Payload(exec, f"open({str(path)!r}, 'w')"),
    }


def saved(content: object, path: Path) -> Path:
    """`content` in the layout of torch.save, with a pickle that nobody has looked at."""
    import torch  # noqa: PLC0415 - seconds

    torch.save({"epoch": 1}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, pickle.dumps(content, protocol=2) if name.endswith("data.pkl") else part)
    return path


@pytest.mark.parametrize("way", ["a shell", "a process", "a file", "code"])
def test_a_payload_is_refused_and_not_run(way: str, tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    state = {"epoch": 1, "weights": touching(proof)[way]}
    path = saved(state, tmp_path / "state.pt")
    for read in (read_state, Checkpoint.load):
        with pytest.raises(ValueError, match=r"^state\.pt asks for [\w.]+, which may be a program, where only tensors"):
            read(path)
    assert not proof.exists()

    # Those who read it as pickles are read would have run it.
    plain = tmp_path / "plain.pkl"
    plain.write_bytes(pickle.dumps(state, protocol=2))
    subprocess.run([sys.executable, "-m", "pickle", plain], check=False, capture_output=True)
    assert proof.exists()


def test_a_bare_pickle_is_not_even_looked_at(tmp_path: Path) -> None:
    proof, path = tmp_path / "it-ran", tmp_path / "state.pt"
    path.write_bytes(pickle.dumps(touching(proof)["a file"]))
    with pytest.raises(ValueError, match=r"^state\.pt is not a file of torch\.save$"):
        read_state(path)
    assert not proof.exists()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("state/data/0", "w") as part:
        for _ in range(64):
            part.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ValueError, match="holds compressed parts, which"):
        read_state(path)


def test_parts_that_lie_upon_each_other_are_not_unpacked(tmp_path: Path) -> None:
    """One part, listed a hundred times."""
    path = tmp_path / "state.pt"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("state/data/0", bytes(1 << 20))
        archive.filelist *= 100
    path.write_bytes(content.getvalue())
    with pytest.raises(ValueError, match="says that it holds more than it does"):
        read_state(path)


@pytest.mark.parametrize("content", ["[1]", "[" * 100_000, '{"a": ', "\ud800"])
def test_a_plain_state_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "e0001.state.json"
    path.write_text(content, errors="surrogatepass")
    with pytest.raises(ValueError, match=r"^e0001\.state\.json (holds a list|cannot be read)"):
        read_state(path)


def test_a_checkpoint_with_a_payload_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its manifest is made to fit, so that every digest is right."""
    yard = Yard(lambda: FolderShelf(tmp_path / "out", "uid-1"), tmp_path / "out", tmp_path)
    pod = yard.pod(1)
    pod.save_safely(1, 2)
    assert pod.keeper.close(20)
    proof = tmp_path / "it-ran"
    manifest = yard.path("e0002-s000000.json")
    payload = saved({"epochs": 2, "weights": touching(proof)["a shell"]}, manifest.with_name("e0002-s000000.pt"))
    forge(manifest, {"name": payload.name, "sha256": sha256(payload), "bytes": payload.stat().st_size})

    snapshot = yard.pod(2).keeper.restore()

    assert snapshot is not None
    assert snapshot.position == Position(1)
    assert "e0002-s000000.pt asks for posix.system, which may be a program" in caplog.text
    assert not proof.exists()


@pytest.mark.parametrize("name", ["../../../../it-ran", "/it-ran", "..", "a/b", "a\\b", "a\x00b", ""])
def test_a_checkpoint_names_no_file_outside_its_folder(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    yard = Yard(lambda: FolderShelf(tmp_path / "out", "uid-1"), tmp_path / "out", tmp_path)
    pod = yard.pod(1)
    pod.save_safely(1)
    assert pod.keeper.close(20)
    manifest = yard.path("e0001-s000000.json")
    forge(manifest, {"name": name, "sha256": "0" * 64, "bytes": 1})
    assert yard.pod(2).keeper.restore() is None
    assert "is passed over" in caplog.text


def forge(manifest: Path, state: dict[str, Any]) -> None:
    """Make a manifest name another file as the state."""
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "state": state}))
