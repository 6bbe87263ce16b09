"""What must not undo a training that is over: pictures that cannot be drawn, words that cannot be written."""

from __future__ import annotations

from pathlib import Path

from modelyard_api.outcome import Reason, TerminationMessage
from modelyard_trainer.termination import write_termination_message


def test_a_picture_that_cannot_be_drawn_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    from modelyard_trainer.tasks.plots import drawn  # noqa: PLC0415

    def fails(path: Path) -> None:
        path.write_text("half a picture")
        raise RuntimeError("no font")

    notices = drawn({"bad.png": fails, "good.png": Path.touch}, tmp_path)
    assert notices == ("plots/bad.png is missing, since it could not be drawn: no font",)
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["good.png"]


def test_a_message_that_cannot_be_written_raises_nothing(tmp_path: Path) -> None:
    message = TerminationMessage(attempt=1, reason=Reason.COMPLETED, message="done")
    write_termination_message(message, tmp_path / "no" / "such" / "folder")
    write_termination_message(message, tmp_path)
