"""What is worth an Event: little, since each is one more write."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.status import TrainingRunStatus
from modelyard_operator.domain.observed import Trouble
from modelyard_operator.kube.client import cancelled
from modelyard_operator.reconcile.events import EventWriter, Note, notes
from modelyard_operator.reconcile.workqueue import WorkQueue

from tests.unit.operator_.world import World, a_run, last_words


def told(world: World) -> list[tuple[str, str]]:
    """Type and reason of the Events that the next look would write."""
    return [(note.kind, note.reason) for note in notes(world.status, world.decide().status)]


def test_a_first_visit_is_no_news() -> None:
    assert told(a_run()) == []


def test_the_usual_start_is_told_once_it_is_over() -> None:
    world = a_run().begun().pod_created()
    assert told(world) == []
    world.pod_created(phase="Running", node="gpu-1", running_at=world.now)
    assert told(world) == [("Normal", "Running")]


def test_progress_is_no_news() -> None:
    world = a_run().begun().pod_running()
    for stage in (Stage.TRAINING, Stage.EXPORTING, Stage.PUBLISHING):
        assert told(world.heard(stage, epoch=3)) == []
        world.looked_at()


def test_trouble_is_told_once() -> None:
    world = a_run().begun().pod_created(unscheduled=Trouble("Unschedulable", "no GPU"))
    assert told(world) == [("Warning", "Unschedulable")]
    world.looked_at().pod_changed(unscheduled=Trouble("Unschedulable", "still no GPU"))
    assert told(world) == []


def test_the_end_is_told() -> None:
    world = a_run().begun().pod_running()
    assert told(world.pod_exits(0)) == [("Normal", "Complete")]
    assert told(a_run().begun().pod_running().pod_exits(10, last_words(Reason.LABEL_INVALID))) == [
        ("Warning", "LabelInvalid")
    ]


def test_one_that_patience_ended_is_told_as_such() -> None:
    early = last_words(Reason.COMPLETED_EARLY, "5 of 50 epochs, best mAP50 0.8 in epoch 3")
    world = a_run().begun().pod_running()
    assert told(world.pod_exits(0, early)) == [("Normal", "CompletedEarly")]


def test_a_retry_is_told_with_what_went_wrong() -> None:
    world = a_run().begun().pod_running().pod_exits(1, "boom")
    assert told(world) == [("Warning", "Retrying")]
    (note,) = notes(world.status, world.decide().status)
    assert "boom" in note.message


def test_nothing_new_is_no_news() -> None:
    status = a_run().begun().pod_running().status
    assert notes(status, status) == []
    assert notes(TrainingRunStatus(), TrainingRunStatus()) == []


async def test_an_event_waits_for_runs_that_hurry_and_is_written_then() -> None:
    client, queue = AsyncMock(), WorkQueue[str](lambda key: key == "new", others_at_once=8)
    queue.open()
    queue.add("new")
    written = asyncio.Event()
    client.create.side_effect = lambda *_: written.set()
    events = EventWriter(client, "test", queue.calm)
    events.tell(a_run().run, Note("Normal", "Complete", "done"))
    task = asyncio.create_task(events.work())
    await asyncio.sleep(0.01)
    assert not written.is_set()
    await queue.get()
    await written.wait()
    await cancelled(task)
