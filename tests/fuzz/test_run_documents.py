"""Run documents of every kind, through the trainer's reading: refused in one sentence, or kept to its folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument
from modelyard_trainer.checkpoints.folder import CHECKPOINTS_FOLDER, FolderShelf
from modelyard_trainer.errors import RunError
from modelyard_trainer.process import main, read_document
from modelyard_trainer.tasks.detection.architecture import architectures, find_architecture

from tests.fuzz.drawing import altered, each, mangled, share
from tests.fuzz.specs import FULL, SMALL
from tests.fuzz.test_training_runs import stays_in_its_folder

A_DOCUMENT: dict[str, Any] = {
    "namespace": "vision",
    "name": "digits",
    "uid": "aaaaaaaa-0000-4000-8000-000000000001",
    "attempt": 2,
    "batchSize": 16,
    "effectiveBatchSize": 32,
    "loaderWorkers": 2,
    "imageCache": "none",
    "learningRateFactor": 0.5,
    "spec": FULL,
    "intake": {
        "url": "https://intake.modelyard.svc:8443",
        "tokenFile": "/var/run/modelyard/token/token",
        "caFolder": "/var/run/modelyard/intake-ca",
        "intervalSeconds": 5.0,
    },
    "image": "registry.example/trainer:1",
}
DOCUMENTS = st.sampled_from([A_DOCUMENT, A_DOCUMENT | {"spec": SMALL}]).flatmap(lambda right: altered(right, most=4))


@share(400)
def test_the_trainer_refuses_in_one_sentence_or_stays_where_it_belongs(
    examples: int, seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "run.json"

    def check(text: bytes) -> None:
        path.write_bytes(text)
        try:
            document = read_document(path)
        except RunError as refusal:
            assert refusal.reason is Reason.SPEC_INVALID
            is_one_sentence(refusal.message)
        else:
            stays_here(document, tmp_path)

    each(mangled(DOCUMENTS), examples, seed, check)


def is_one_sentence(message: str) -> None:
    assert message.isprintable()
    assert 0 < len(message) < 1024
    assert "Traceback" not in message


def stays_here(document: RunDocument, results: Path) -> None:
    stays_in_its_folder(document)
    shelf = FolderShelf(results, document.uid)
    assert shelf.uri("latest.json").startswith((results / CHECKPOINTS_FOLDER / document.uid).as_uri() + "/")
    try:
        found = find_architecture(document.spec.model.architecture)
    except RunError as refusal:
        assert refusal.reason is Reason.ARCHITECTURE_UNKNOWN
        is_one_sentence(refusal.message)
    else:
        assert found in architectures().values()


def test_what_is_no_text_ends_the_process_as_a_wrong_document_does(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b'{"namespace": "\xff"}')
    said = tmp_path / "said"
    assert main([str(path), "--scratch", str(tmp_path), "--termination-log", str(said)]) == 10
    assert "not a run document" in said.read_text()
