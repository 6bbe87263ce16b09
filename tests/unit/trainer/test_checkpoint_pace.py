"""When checkpoints are due, in what order they stand, and which of them go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from modelyard_api.checkpoints import CheckpointPolicy
from modelyard_trainer.checkpoints.inventory import Inventory
from modelyard_trainer.checkpoints.manifest import CheckpointManifest, Found, StoredFile, manifest_name, stem_of
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.checkpoints.pace import Pace

NEVER = "99999h"
# What is asked: seconds since the training began, epochs done, batches done in the next one. Then: whether it is due.
Asked = tuple[float, int, int, bool]
PACES: dict[str, tuple[dict[str, object], list[Asked]]] = {
    "at an epoch's end once the time has passed": (
        {"every": "5m"},
        [(100, 1, 0, False), (299, 2, 0, False), (301, 3, 0, True), (400, 4, 0, False), (602, 5, 0, True)],
    ),
    "a short epoch is left whole": (
        {"every": "5m"},
        [(200, 1, 0, False), (301, 1, 9, False), (399, 1, 18, False), (400, 2, 0, True)],
    ),
    "inside an epoch that lasts longer": (
        {"every": "5m"},
        [(0, 0, 1, False), (299, 0, 9, False), (301, 0, 10, True), (400, 0, 13, False), (601, 0, 20, True)],
    ),
    "a long epoch after short ones": (
        {"every": "5m"},
        [(290, 1, 0, False), (310, 1, 1, False), (589, 1, 8, False), (590, 1, 9, True), (700, 2, 0, False)],
    ),
    "every second epoch too": (
        {"every": NEVER, "everyEpochs": 2},
        [(1, 1, 0, False), (2, 2, 0, True), (2, 2, 1, False), (3, 3, 0, False), (4, 4, 0, True)],
    ),
    "always at the end of the last epoch": ({"every": NEVER}, [(1, 9, 0, False), (2, 10, 0, True)]),
    "never before anything is done": ({"every": "1s"}, [(100, 0, 0, False)]),
}


@pytest.mark.parametrize(("policy", "asked"), PACES.values(), ids=PACES.keys())
def test_a_checkpoint_is_due_as_the_spec_says(policy: dict[str, object], asked: list[Asked]) -> None:
    now = 0.0
    pace = Pace(CheckpointPolicy.model_validate(policy), epochs=10, clock=lambda: now)
    for seconds, epochs, step, due in asked:
        now = seconds
        assert pace.due(Position(epochs, step)) is due, (seconds, epochs, step)
        if due:
            pace.taken()


def test_positions_stand_in_the_order_of_the_training() -> None:
    assert sorted([Position(2), Position(1, 30), Position(0, 5), Position(1)]) == [
        Position(0, 5),
        Position(1),
        Position(1, 30),
        Position(2),
    ]
    assert [str(Position(2)), str(Position(1, 30))] == ["epoch 2", "epoch 2, batch 30"]


DAWN = datetime(2030, 1, 1, tzinfo=UTC)


def found(folder: str, attempt: int, epochs: int, *, best: str = "best-a.pt", minutes: int = 0) -> Found:
    stem = stem_of(Position(epochs))
    digest = "0" * 64
    manifest = CheckpointManifest(
        attempt=attempt,
        epochs=epochs,
        step=0,
        taken_at=DAWN + timedelta(minutes=minutes),
        batch_size=4,
        state=StoredFile(name=f"{stem}.pt", sha256=digest, bytes=1),
        files={"best.pt": StoredFile(name=best, sha256=digest, bytes=1)},
    )
    return Found(folder, manifest_name(stem), manifest)


def keys(*checkpoints: Found) -> set[str]:
    return {f"{each.folder}/{name}" for each in checkpoints for name in (each.name, *each.manifest.names)}


def committed(inventory: Inventory, checkpoint: Found) -> None:
    for name in checkpoint.manifest.names:
        inventory.added(name)
    inventory.committed(checkpoint)


def test_the_newest_is_the_furthest_then_the_later_attempts_then_the_later_one() -> None:
    one, two, three = found("a", 1, 5), found("b", 2, 5), found("c", 2, 5, minutes=1)
    other = found("a", 1, 6)
    inventory = Inventory(3, "d", keep=2)
    inventory.found([], [one, three, other, two])
    assert inventory.candidates == [other, three, two, one]


def test_what_a_pod_took_after_it_was_given_up_is_no_candidate_and_goes() -> None:
    early, late = found("a", 1, 4), found("a", 1, 9, best="best-b.pt", minutes=7)
    successor = [found("b", 2, 5, minutes=6), found("b", 2, 6, minutes=8)]
    inventory = Inventory(3, "c", keep=9)
    inventory.found(keys(early, late, *successor), [early, late, *successor])
    assert inventory.candidates == [*reversed(successor), early]
    assert late not in inventory.kept
    assert inventory.superfluous() == [late.key, *sorted(keys(late) - {late.key})]


def test_only_as_many_stay_as_are_asked_for_and_files_that_are_shared_stay_with_them() -> None:
    inventory = Inventory(1, "a", keep=2)
    first, second, third = found("a", 1, 1), found("a", 1, 2), found("a", 1, 3, best="best-b.pt")
    committed(inventory, first)
    committed(inventory, second)
    assert not inventory.superfluous()
    committed(inventory, third)
    assert inventory.superfluous() == ["a/e0001-s000000.json", "a/e0001-s000000.pt"]


def test_what_was_gone_on_from_stays_until_a_newer_one_is_up() -> None:
    inventory = Inventory(2, "b", keep=1)
    old, resumed = found("a", 1, 3), found("a", 1, 4)
    inventory.found(keys(old, resumed), [old, resumed])
    inventory.resumed(resumed)
    assert set(inventory.superfluous()) == keys(old) - keys(resumed)
    new = found("b", 2, 5)
    committed(inventory, new)
    assert set(inventory.superfluous()) == keys(old, resumed)
    assert inventory.superfluous()[:2] == [old.key, resumed.key], "the manifests go first"
    for key in inventory.superfluous():
        inventory.removed(key)
    assert not inventory.superfluous()
    assert inventory.kept == [new]


def test_what_was_passed_over_goes_before_what_is_behind_it() -> None:
    inventory = Inventory(2, "b", keep=2)
    damaged, resumed = found("a", 1, 9), found("a", 1, 4)
    inventory.found(keys(damaged, resumed), [damaged, resumed])
    inventory.useless(damaged)
    inventory.resumed(resumed)
    assert inventory.kept == [resumed, damaged]
    committed(inventory, found("b", 2, 5))
    assert set(inventory.superfluous()) == keys(damaged) - keys(resumed)


def test_what_a_broken_off_upload_left_goes_but_nothing_of_a_later_attempt() -> None:
    inventory = Inventory(1, "a", keep=1)
    later = found("z", 2, 2)
    inventory.found({*keys(later), "z/e0003-s000000.pt", "y/e0001-s000000.pt"}, [later])
    committed(inventory, found("a", 1, 1))
    assert inventory.superfluous() == ["y/e0001-s000000.pt"]
