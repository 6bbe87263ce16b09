"""What is kept of reports, and what counts as progress."""

from __future__ import annotations

from datetime import timedelta

from modelyard_api.report import ProgressReport, Stage
from modelyard_operator.domain.observed import Hearing
from modelyard_operator.reconcile.reports import Reception, ReportStore

from tests.unit.operator_.world import NOON


def report(sequence: int, **fields: object) -> ProgressReport:
    return ProgressReport.model_validate({"sequence": sequence, "attempt": 1, "stage": Stage.TRAINING, **fields})


def test_time_passing_is_no_progress() -> None:
    store = ReportStore()
    later = NOON + timedelta(minutes=1)
    store.receive("pod", report(1, epoch=3, percent=10, elapsed_seconds=5), NOON)
    store.receive("pod", report(2, epoch=3, percent=10, elapsed_seconds=65, eta_seconds=9), later)
    (kept,) = store.of_pods(["pod"])
    assert (kept.received_at, kept.progressed_at) == (later, NOON)


def test_a_step_within_the_epoch_is_progress() -> None:
    store = ReportStore()
    later = NOON + timedelta(minutes=1)
    store.receive("pod", report(1, epoch=3, percent=10), NOON)
    store.receive("pod", report(2, epoch=3, percent=10.1), later)
    assert store.of_pods(["pod"])[0].progressed_at == later


def test_reports_that_overtook_each_other_are_dropped() -> None:
    store = ReportStore()
    assert store.receive("pod", report(2, epoch=2), NOON) is Reception.TAKEN
    assert store.receive("pod", report(1, epoch=1), NOON) is Reception.OLD
    assert store.receive("pod", report(2, epoch=9), NOON) is Reception.OLD
    assert store.of_pods(["pod"])[0].report.epoch == 2


def test_every_pod_has_its_own_count() -> None:
    store = ReportStore()
    assert store.receive("one", report(7), NOON) is Reception.TAKEN
    assert store.receive("two", report(1), NOON) is Reception.TAKEN
    store.forget("one")
    assert (len(store), store.receive("one", report(1), NOON)) == (1, Reception.TAKEN)


def test_every_pod_has_its_own_limit() -> None:
    store = ReportStore(rate=0.001, burst=2)
    assert [store.admit("one") for _ in range(3)] == [True, True, False]
    assert store.admit("two")


def test_a_silence_of_all_is_remembered_and_anybody_ends_it() -> None:
    store = ReportStore()
    assert store.hearing(others=True) == Hearing(None, None, others=True)
    for second in (0, 50, 110):
        store.receive("a", report(second + 1), NOON + timedelta(seconds=second))
    assert store.hearing(others=True) == Hearing(NOON + timedelta(seconds=110), NOON, others=True)
    again = NOON + timedelta(hours=1)
    assert store.receive("b", report(1), again) is Reception.TAKEN
    assert store.receive("b", report(1), again + timedelta(seconds=1)) is Reception.OLD
    assert store.hearing(others=False) == Hearing(again + timedelta(seconds=1), again, others=False)
    store.clear()
    assert store.hearing(others=True).last is None
