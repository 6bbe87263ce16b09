"""A real training whose learning rate is absurd: how it ends, and what the next attempt makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_api.outcome import ExitCode, Reason

from tests.training.attempts import classification, first_attempt, last_words, said
from tests.training.trainings import forked

pytestmark = pytest.mark.usefixtures("one_cpu_and_every_batch_counts", "imported")


def test_a_training_that_diverges_ends_with_14_and_a_lower_rate_goes_on_from_before(tmp_path: Path) -> None:
    task = {**classification(tmp_path / "data"), "model": {"architecture": "test_vit"}}
    absurd = first_attempt(
        task,
        tmp_path / "out",
        epochs=8,
        batchSize=4,
        optimizer={"name": "SGD", "learningRate": 1.0, "weightDecay": 0.0},
        # It gets there little by little.
        schedule={"warmupEpochs": 3},
    ).model_copy(update={"batch_size": 4})
    assert forked(tmp_path / "first", absurd) == ExitCode.DIVERGED, said(tmp_path / "first")
    told = last_words(tmp_path / "first")
    assert told.reason is Reason.DIVERGED
    assert told.message.startswith(f"the loss is not a number any more in epoch {told.epoch + 1} (loss nan, ")
    assert told.message.endswith("; a lower learning rate or a longer warm-up would be right")
    assert told.checkpoint is not None
    assert (told.checkpoint.epoch, told.checkpoint.step) == (told.epoch, 0)
    assert not (tmp_path / "out" / "SHA256SUMS").exists()

    lower = absurd.model_copy(update={"attempt": 2, "learning_rate_factor": 0.001})
    assert forked(tmp_path / "second", lower) == ExitCode.SUCCESS, said(tmp_path / "second")
    again = last_words(tmp_path / "second")
    assert (again.reason, again.epoch, again.resumed_from_epoch) == (Reason.COMPLETED, 8, told.epoch)
    assert (tmp_path / "out" / "SHA256SUMS").exists()
