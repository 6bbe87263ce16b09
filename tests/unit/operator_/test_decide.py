"""What becomes of a run: a table of situations and what is decided in each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.report import ReportedBest, ReportedMetric, Stage
from modelyard_api.status import Artifact, ConditionStatus, ConditionType, DatasetStatus, Phase, TrainingRunStatus
from modelyard_operator.domain.decision import CreateJob, Decision, DeleteJob, LimitJob
from modelyard_operator.domain.observed import Hearing, Trouble

from tests.unit.operator_.world import NOON, a_run, last_words

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
OUTCOMES = (ConditionType.COMPLETE, ConditionType.FAILED, ConditionType.FINISHED)
SHA = "0" * 64
TTL: Final = "ttlSecondsAfterFinished"


class TestFirstVisit:
    def test_a_new_run_has_its_job_before_anything_is_written(self) -> None:
        world = a_run()
        decision = world.decide()
        assert decision.status == world.status
        assert [creation.attempt.number for creation in creations(decision)] == [1]
        assert decision.requeue_after == timedelta(0)

    def test_the_job_then_stands_in_status(self) -> None:
        world = a_run().looked_at().later(seconds=3)
        decision = world.decide()
        assert (decision.actions, decision.requeue_after) == ((), timedelta(0))
        world.looked_at()
        assert world.status.phase is Phase.STARTING
        assert [(attempt.number, attempt.job_uid) for attempt in world.status.attempts] == [(1, "job-1")]
        assert world.status.started_at == NOON

    def test_so_it_does_where_an_operator_ended_in_between(self) -> None:
        world = a_run().looked_at().later(hours=1).looked_at()
        assert [(attempt.number, attempt.job_uid) for attempt in world.status.attempts] == [(1, "job-1")]

    def test_the_first_attempt_of_an_older_run_stands_in_status_before_its_job_is_created(self) -> None:
        """Its Job may have ended and expired, and what is known of it may be old."""
        decision = a_run().later(minutes=2).decide()
        assert decision.status.phase is Phase.STARTING
        assert [attempt.number for attempt in decision.status.attempts] == [1]
        assert decision.status.started_at is not None
        assert [creation.attempt.number for creation in creations(decision)] == [1]

    @pytest.mark.parametrize(
        ("edit", "then"),
        [
            ({"training": {"epochs": 7}}, Phase.STARTING),
            ({"suspend": True}, Phase.SUSPENDED),
            ({"approval": {"required": True}}, Phase.PENDING),
        ],
    )
    def test_a_job_made_of_a_spec_that_was_edited_since_is_made_anew(self, edit: dict[str, Any], then: Phase) -> None:
        world = a_run().looked_at().edited(**edit)
        assert world.decide().actions == (DeleteJob(world.jobs[1].name, "job-1"),)
        world.looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.PENDING, "SpecChanged")
        assert (world.status.attempts, world.looked_at().decide().actions) == ([], ())
        del world.jobs[1]
        world.looked_at().looked_at()
        assert world.status.phase is then
        assert [job.generation for job in world.jobs.values()] == ([2] if then is Phase.STARTING else [])

    def test_whoever_noted_the_attempt_without_having_seen_a_job_of_an_older_spec_makes_it_anew(self) -> None:
        """It was adopted where the new one was to be created, and trained what was asked for before the edit."""
        world = a_run().looked_at().edited(training={"epochs": 7}).later(minutes=2)
        older = world.jobs.pop(1)
        world.looked_at()
        assert [attempt.job_uid for attempt in world.status.attempts] == [None]
        world.jobs[1] = older
        assert world.decide().actions == (DeleteJob(older.name, older.uid),)
        assert [attempt.ended_at for attempt in world.looked_at().status.attempts] == [None]
        world.job_gone().looked_at().looked_at()
        assert (world.jobs[1].generation, world.status.attempts[0].job_uid) == (2, world.jobs[1].uid)

    def test_a_job_of_an_older_spec_on_a_node_out_of_reach_is_given_up_in_time(self) -> None:
        world = a_run().looked_at().edited(training={"epochs": 7}).later(minutes=2)
        older = world.jobs.pop(1)
        world.looked_at()
        world.jobs[1] = older
        world.pod_running().looked_at().pod_changed(gone_by=world.now + timedelta(seconds=120))
        assert world.decide().requeue_after == timedelta(seconds=180)
        world.later(seconds=180).looked_at()
        assert world.status.attempts[0].reason == Reason.LOST

    def test_an_edit_in_flight_takes_no_job_away_that_was_never_noted(self) -> None:
        world = a_run().later(minutes=2).looked_at()
        assert [attempt.job_uid for attempt in world.status.attempts] == [None]
        world.edited(recovery={"ttlAfterFinished": "2h"}).looked_at()
        assert [attempt.job_uid for attempt in world.status.attempts] == ["job-1"]
        assert not world.jobs[1].deleting

    def test_every_condition_is_set_as_unknown_where_nothing_is_known(self) -> None:
        world = a_run().begun()
        found = {condition.type: condition.status for condition in world.status.conditions}
        assert set(found) == set(ConditionType)
        assert {found[kind] for kind in (ConditionType.COMPLETE, ConditionType.FAILED, ConditionType.FINISHED)} == {
            UNKNOWN
        }
        assert found[ConditionType.RECONCILING] is TRUE
        assert found[ConditionType.STALLED] is FALSE

    def test_deciding_twice_gives_the_same(self) -> None:
        world = a_run()
        assert world.decide() == world.decide()

    def test_a_second_look_changes_nothing(self) -> None:
        world = a_run().begun()
        decision = world.later(seconds=1).decide()
        assert decision.actions == ()
        assert decision.status == world.status

    def test_a_recorded_attempt_whose_job_was_never_seen_gets_it(self) -> None:
        """The operator ended between the two writes."""
        world = a_run().later(minutes=2).looked_at().job_gone()
        assert creations(world.decide()) == [CreateJob(world.status.attempts[0])]
        assert world.looked_at().status.current_attempt == 1

    def test_a_deleted_run_is_left_alone(self) -> None:
        decision = a_run().being_deleted().decide()
        assert (decision.actions, decision.status.phase) == ((), Phase.PENDING)

    def test_an_unreadable_spec_fails_the_run(self) -> None:
        world = a_run()
        world.run = replace(world.run, spec=None, spec_error="spec.task: unknown")
        status = world.looked_at().status
        assert (status.phase, status.reason) == (Phase.FAILED, Reason.SPEC_INVALID)
        assert "spec.task" in (status.message or "")

    def test_a_spec_that_became_unreadable_does_not_fail_a_run_in_flight(self) -> None:
        """An older operator took over: the Job goes on, and so does the run once the spec is understood again."""
        world = a_run().begun().pod_running()
        before, spec = world.status, world.run.spec
        world.run = replace(world.run, spec=None, spec_error="spec.task: unknown")
        for _ in range(2):
            decision = world.later(hours=1).decide()
            assert (decision.status, decision.actions, decision.requeue_after) == (before, (), timedelta(minutes=5))
        world.pod_exits(0)
        assert world.decide().status == before
        world.run = replace(world.run, spec=spec)
        assert world.looked_at().status.phase is Phase.COMPLETE


class TestWaiting:
    def test_for_approval(self) -> None:
        world = a_run(approval={"required": True}).looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.PENDING, "WaitingForApproval")
        assert world.condition(ConditionType.APPROVED).status is FALSE
        assert world.status.started_at is None
        world.edited(approval={"approved": True}).begun()
        assert (world.status.phase, world.condition(ConditionType.APPROVED).status) == (Phase.STARTING, TRUE)

    def test_while_suspended_from_the_start(self) -> None:
        world = a_run(suspend=True).looked_at()
        assert (world.status.phase, world.jobs) == (Phase.SUSPENDED, {})
        assert world.edited(suspend=False).begun().status.phase is Phase.STARTING

    def test_in_a_queue(self) -> None:
        world = a_run(resources={"queue": "team-a"}).begun().looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.PENDING, "Queued")
        assert "team-a" in (world.status.message or "")

    def test_for_a_node_says_what_the_scheduler_says(self) -> None:
        words = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
        world = a_run().begun().pod_created(unscheduled=Trouble("Unschedulable", words)).looked_at()
        assert (world.status.phase, world.status.reason, world.status.message) == (
            Phase.STARTING,
            "Unschedulable",
            words,
        )
        assert world.condition(ConditionType.RECONCILING).message == words

    @pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"])
    def test_for_a_container_says_what_the_kubelet_says(self, reason: str) -> None:
        words = 'configmap "labels" not found'
        world = a_run().begun().pod_created(node="gpu-1", waiting=Trouble(reason, words)).looked_at()
        assert (world.status.phase, world.status.reason, world.status.message) == (Phase.STARTING, reason, words)

    def test_for_a_container_that_is_just_being_created_is_no_trouble(self) -> None:
        waiting = Trouble("ContainerCreating", "")
        world = a_run().begun().pod_created(node="gpu-1", waiting=waiting).looked_at()
        assert world.status.reason == "ContainerStarting"


class TestRunning:
    @pytest.mark.parametrize(
        ("stage", "phase"),
        [
            (Stage.FETCHING, Phase.RUNNING),
            (Stage.CHECKING, Phase.RUNNING),
            (Stage.TRAINING, Phase.RUNNING),
            (Stage.EVALUATING, Phase.RUNNING),
            (Stage.EXPORTING, Phase.EXPORTING),
            (Stage.VERIFYING, Phase.EXPORTING),
            (Stage.PUBLISHING, Phase.UPLOADING),
            (Stage.FINISHED, Phase.UPLOADING),
        ],
    )
    def test_the_phase_follows_the_stage(self, stage: Stage, phase: Phase) -> None:
        world = a_run().begun().pod_running().heard(stage).looked_at()
        assert world.status.phase is phase
        assert world.condition(ConditionType.RUNNING).status is TRUE
        assert world.condition(ConditionType.RECONCILING).status is FALSE

    def test_a_report_fills_the_columns(self) -> None:
        world = a_run().begun().pod_running()
        world.heard(
            epoch=12,
            epochs=30,
            percent=41.7,
            eta_seconds=10_920,
            elapsed_seconds=2_460,
            batch_size=32,
            metrics=[ReportedMetric(name="mAP50", value=0.61234), ReportedMetric(name="mAP50-95", value=0.4)],
            best=ReportedBest(epoch=11, metric="mAP50-95", value=0.62),
        ).looked_at()
        progress = world.status.progress
        assert progress is not None
        assert (progress.display, progress.percent_display, progress.eta) == ("12/30", "41%", "3h2m")
        assert (progress.elapsed, world.status.metric_display) == ("41m", "mAP50 0.612")
        assert world.status.best is not None
        assert (world.status.best.epoch, world.status.best.value) == (11, "0.62")
        assert world.status.attempts[-1].epoch == 12

    def test_epochs_never_fall_within_an_attempt(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=7, epochs=30, percent=23).looked_at()
        world.heard(epoch=5, epochs=30, percent=17).looked_at()
        assert world.status.progress is not None
        assert (world.status.progress.epoch, world.status.progress.percent) == (7, 23)

    def test_what_was_reported_survives_a_restart_of_the_operator(self) -> None:
        world = a_run().begun().pod_running().heard(Stage.EXPORTING, epoch=30, epochs=30).looked_at()
        before = world.status
        world.report = None
        assert world.later(seconds=30).decide().status == before

    def test_a_report_of_another_pod_counts_for_nothing(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=7)
        assert world.report is not None
        world.report = replace(world.report, pod_uid="another")
        progress = world.looked_at().status.progress
        assert progress is not None
        assert progress.epoch == 0

    def test_a_pod_that_no_job_of_ours_controls_counts_for_nothing(self) -> None:
        world = a_run().begun().pod_running().pod_exits(0).pod_changed(job_uid="somebody-else")
        assert world.decide().status.phase is not Phase.COMPLETE

    def test_a_job_that_belongs_to_another_counts_for_nothing(self) -> None:
        world = a_run().begun().job_changed(owner_uid="somebody-else").job_ends("Complete")
        assert world.decide().status.phase is not Phase.COMPLETE


class TestEnds:
    def test_complete_with_all_that_the_last_words_tell(self) -> None:
        artifact = Artifact(name="best.onnx", uri="s3://models/x/best.onnx", sha256=SHA, bytes=7)
        dataset = DatasetStatus(images=10, training_images=8, validation_images=2, classes=10, digest="d")
        words = last_words(
            Reason.COMPLETED, epoch=30, epochs=30, artifacts_uri="s3://models/x/", artifacts=[artifact], dataset=dataset
        )
        world = a_run().begun().pod_running().later(hours=1).pod_exits(0, words).looked_at()
        status = world.status
        assert (status.phase, status.finished_at, status.artifacts) == (Phase.COMPLETE, world.now, [artifact])
        assert status.progress is not None
        assert (status.progress.display, status.progress.percent, status.progress.eta) == ("30/30", 100, None)
        found = {condition.type: condition.status for condition in status.conditions}
        assert [kind for kind, state in found.items() if state is TRUE] == [
            ConditionType.APPROVED,
            ConditionType.ARTIFACTS_UPLOADED,
            ConditionType.COMPLETE,
            ConditionType.DATASET_READY,
            ConditionType.FINISHED,
        ]

    def test_an_operator_that_was_down_all_along_learns_everything(self) -> None:
        seen_throughout = (
            a_run().begun().pod_running().later(hours=1).pod_exits(0, last_words(Reason.COMPLETED, epoch=30))
        )
        away = a_run().begun().later(hours=1)
        away.pod_created(node="gpu-1", running_at=away.now).pod_exits(0, last_words(Reason.COMPLETED, epoch=30))
        assert away.looked_at().status.phase is seen_throughout.looked_at().status.phase is Phase.COMPLETE

    @pytest.mark.parametrize(
        ("code", "words", "reason"),
        [
            (10, last_words(Reason.LABEL_INVALID, "labels/7.txt line 3: class 12"), Reason.LABEL_INVALID),
            (10, "", Reason.SPEC_INVALID),
            (14, last_words(Reason.DIVERGED), Reason.DIVERGED),
            (15, last_words(Reason.EXPORT_DIFFERS), Reason.EXPORT_DIFFERS),
            (15, "no JSON at all", Reason.EXPORT_FAILED),
        ],
    )
    def test_failed_at_once_where_trying_again_would_end_the_same_way(
        self, code: int, words: str, reason: Reason
    ) -> None:
        world = a_run().begun().pod_running().pod_exits(code, words).looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, reason)
        assert (world.status.attempts[-1].exit_code, world.status.retries) == (code, 0)
        assert world.condition(ConditionType.FAILED).status is TRUE
        assert world.condition(ConditionType.STALLED).status is TRUE
        assert world.later(days=1).decide().status == world.status

    def test_a_user_error_names_file_and_line_in_the_condition(self) -> None:
        message = "labels/7.txt line 3: class 12 is not one of 10"
        world = a_run().begun().pod_running().pod_exits(10, last_words(Reason.LABEL_INVALID, message)).looked_at()
        assert world.condition(ConditionType.FAILED).message == message
        assert world.condition(ConditionType.DATASET_READY).status is FALSE

    @pytest.mark.parametrize(
        ("code", "container", "words", "reason"),
        [
            (137, "OOMKilled", "", Reason.HOST_OUT_OF_MEMORY),
            (1, "Error", last_words(Reason.HOST_OUT_OF_MEMORY), Reason.HOST_OUT_OF_MEMORY),
            (13, "Error", last_words(Reason.STORE_UNREACHABLE), Reason.STORE_UNREACHABLE),
            (1, "Error", "Traceback: KeyError", Reason.INTERNAL_ERROR),
            (139, "Error", "", Reason.INTERNAL_ERROR),
            (137, "Error", "", Reason.INTERNAL_ERROR),
        ],
    )
    def test_retried_at_a_price_where_it_may_pass(self, code: int, container: str, words: str, reason: Reason) -> None:
        world = a_run().begun().pod_running().pod_exits(code, words, container).looked_at()
        assert (world.status.phase, world.status.reason, world.status.retries) == (Phase.PENDING, "Retrying", 1)
        assert world.status.attempts[-1].reason == reason
        assert world.decide().actions == ()
        world.later(seconds=11).looked_at()
        assert (world.status.phase, world.status.current_attempt) == (Phase.STARTING, 2)
        assert world.jobs[2].name.endswith("-2")

    def test_a_kill_that_nobody_accounts_for_may_have_been_for_memory(self) -> None:
        world = a_run().begun().pod_running().pod_exits(137, "", "Error").looked_at()
        assert "spec.resources.memory" in (world.status.message or "")
        assert "spec.resources" not in (
            a_run().begun().pod_running().pod_exits(139, "", "Error").looked_at().status.message or ""
        )

    def test_last_words_that_were_cut_take_nothing_back(self) -> None:
        uri = "s3://models/vision/digits/artifacts"
        files = [Artifact(name=name, uri=f"{uri}/{name}", sha256=SHA, bytes=1) for name in ("best.pt", "model.onnx")]
        world = a_run().begun().pod_running().heard(Stage.FINISHED, artifacts=files, artifacts_uri=uri).looked_at()
        words = last_words(Reason.COMPLETED, artifacts=files[:1], artifacts_uri=uri)
        assert world.pod_exits(0, words).looked_at().status.artifacts == files
        elsewhere = [files[0].model_copy(update={"uri": f"{uri}2/best.pt"})]
        words = last_words(Reason.COMPLETED, artifacts=elsewhere, artifacts_uri=f"{uri}2")
        world = a_run().begun().pod_running().heard(Stage.FINISHED, artifacts=files, artifacts_uri=uri).looked_at()
        assert world.pod_exits(0, words).looked_at().status.artifacts == elsewhere

    def test_what_is_told_twice_or_too_much_does_not_make_the_status_unwritable(self) -> None:
        twice = [ReportedMetric(name="mAP50", value=value) for value in (0.1, 0.2)]
        world = a_run().begun().pod_running().heard(metrics=twice).looked_at()
        assert [(metric.name, metric.value) for metric in world.status.metrics] == [("mAP50", "0.2")]
        many = [{"name": f"metric-{number}", "value": "0"} for number in range(80)]
        world.pod_exits(0, last_words(Reason.COMPLETED, metrics=many)).looked_at()
        assert len(world.status.metrics) == 64

    def test_last_words_of_another_attempt_are_not_heeded(self) -> None:
        words = last_words(Reason.LABEL_INVALID, attempt=7)
        assert a_run().begun().pod_running().pod_exits(10, words).looked_at().status.reason == Reason.SPEC_INVALID

    def test_retries_wait_longer_and_longer(self) -> None:
        world = a_run(recovery={"maxRetries": 5}).begun()
        waits = []
        for _ in range(3):
            world.looked_at().pod_running().pod_exits(13)
            decision = world.decide()
            waits.append(decision.requeue_after)
            world.looked_at().later(seconds=601)
        assert waits == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40)]

    def test_retries_run_out(self) -> None:
        world = a_run(recovery={"maxRetries": 1}).begun().pod_running().pod_exits(1).looked_at()
        world.later(seconds=11).looked_at().pod_running().pod_exits(1, "boom").looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.RETRIES_EXHAUSTED)
        assert "boom" in (world.status.message or "")
        assert len(world.status.attempts) == 2

    def test_a_new_attempt_counts_its_epochs_from_nought(self) -> None:
        world = (
            a_run().begun().pod_running().heard(epoch=7, epochs=30, percent=20).looked_at().pod_exits(13).looked_at()
        )
        world.later(seconds=11).looked_at()
        assert world.status.progress is not None
        assert (world.status.progress.display, world.status.attempts[0].epoch) == ("0/30", 7)

    @pytest.mark.parametrize("code", [12, 137, 143])
    def test_preemption_after_progress_is_free_and_goes_on_at_once(self, code: int) -> None:
        world = a_run().begun().pod_running().heard(epoch=3, epochs=30).looked_at()
        world.pod_disrupted().pod_exits(code).looked_at()
        assert (world.status.retries, world.status.attempts[0].reason) == (0, Reason.INTERRUPTED)
        assert world.looked_at().status.current_attempt == 2

    def test_progress_that_was_reported_with_the_end_is_progress(self) -> None:
        """Status is not written with every report."""
        world = a_run().begun().pod_running().heard(epoch=3, epochs=30)
        world.pod_disrupted().pod_exits(143).looked_at()
        assert (world.status.retries, world.status.attempts[0].epoch) == (0, 3)

    def test_preemption_without_progress_counts(self) -> None:
        world = a_run().begun().pod_running().pod_disrupted().pod_exits(143).looked_at()
        assert world.status.retries == 1

    def test_a_deleted_pod_was_interrupted(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=3).looked_at()
        world.pod_changed(gone_by=world.now).pod_exits(137).looked_at()
        assert (world.status.attempts[0].reason, world.status.retries) == (Reason.INTERRUPTED, 0)

    def test_success_under_a_draining_node_is_success(self) -> None:
        world = a_run().begun().pod_running().pod_disrupted().pod_exits(0).looked_at()
        assert world.status.phase is Phase.COMPLETE

    def test_an_eviction_for_its_own_disk_use_counts_and_says_why(self) -> None:
        words = 'Usage of EmptyDir volume "scratch" exceeds the limit "50Gi".'
        world = a_run().begun().pod_running().pod_changed(phase="Failed", failure=Trouble("Evicted", words)).looked_at()
        attempt = world.status.attempts[0]
        assert (attempt.reason, attempt.message, world.status.retries) == (Reason.EVICTED, words, 1)


class TestLost:
    def test_a_job_seen_and_then_gone_is_lost(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=2).looked_at().pod_gone().job_gone().looked_at()
        assert (world.status.attempts[0].reason, world.status.retries) == (Reason.LOST, 0)
        assert world.looked_at().status.current_attempt == 2

    def test_a_pod_whose_job_was_deleted_is_waited_for(self) -> None:
        """It saves its state meanwhile: another attempt would claim the run from under it."""
        world = a_run().begun().pod_running().heard(epoch=2).looked_at().job_gone().looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.RUNNING, "Stopping")
        assert (world.status.current_attempt, world.decide().actions) == (1, ())
        world.pod_changed(gone_by=world.now).pod_exits(12, last_words(Reason.INTERRUPTED, epoch=3)).looked_at()
        attempt = world.status.attempts[0]
        assert (attempt.reason, attempt.epoch, world.status.retries) == (Reason.INTERRUPTED, 3, 0)

    def test_a_pod_whose_job_was_deleted_is_not_waited_for_where_its_node_is_out_of_reach(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=2).looked_at().job_gone()
        world.pod_changed(gone_by=world.now).looked_at()
        world.later(seconds=61).looked_at()
        assert (world.status.attempts[0].reason, world.status.retries) == (Reason.LOST, 0)

    def test_a_job_deleted_after_the_end_does_not_start_the_run_again(self) -> None:
        world = a_run().begun().pod_running().pod_exits(0).looked_at().pod_gone().job_gone()
        decision = world.later(days=2).decide()
        assert (decision.actions, decision.status) == ((), world.status)

    def test_a_job_whose_pod_is_gone_still_names_the_exit_code(self) -> None:
        message = "Container trainer for pod vision/x failed with exit code 10 matching FailJob rule at index 0"
        world = a_run().begun().pod_running().pod_gone().job_ends("Failed", "PodFailurePolicy", message)
        world.later(seconds=10).looked_at()
        assert (world.status.phase, world.status.attempts[0].exit_code) == (Phase.FAILED, 10)

    def test_what_the_trainer_said_is_waited_for_where_its_job_was_heard_of_first(self) -> None:
        message = "Container trainer for pod vision/x failed with exit code 10 matching FailJob rule at index 0"
        world = a_run().begun().pod_running().looked_at().job_ends("Failed", "PodFailurePolicy", message)
        decision = world.decide()
        assert (decision.status, decision.actions) == (world.status, ())
        assert decision.requeue_after == timedelta(seconds=1)
        world.pod_exits(10, last_words(Reason.DATASET_EMPTY, "no pictures")).looked_at()
        assert (world.status.attempts[0].reason, world.status.message) == (Reason.DATASET_EMPTY, "no pictures")

    def test_the_last_epoch_is_waited_for_too_where_the_job_names_no_exit_code(self) -> None:
        """It was forgotten, and with it that the run had come forward: later interruptions cost retries."""
        world = a_run().begun().pod_running().looked_at()
        pod = world.pods[1]
        world.pod_gone().job_ends("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        assert world.decide().status == world.status
        world.pods[1] = pod
        world.pod_exits(1, last_words(Reason.INTERNAL_ERROR, epoch=3)).looked_at()
        attempt = world.status.attempts[0]
        assert (attempt.reason, attempt.epoch) == (Reason.INTERNAL_ERROR, 3)

    def test_what_was_published_is_waited_for_where_the_job_is_complete(self) -> None:
        uri = "s3://models/x/"
        world = a_run().begun().pod_running().looked_at().job_ends("Complete")
        assert world.decide().status == world.status
        world.pod_exits(0, last_words(Reason.COMPLETED, artifacts_uri=uri)).looked_at()
        assert (world.status.phase, world.status.artifacts_uri) == (Phase.COMPLETE, uri)

    def test_a_job_whose_pod_is_gone_still_names_the_disruption(self) -> None:
        message = "Pod vision/x has condition DisruptionTarget matching FailJob rule at index 1"
        world = a_run().begun().pod_running().heard(epoch=1).looked_at()
        world.pod_gone().job_ends("Failed", "PodFailurePolicy", message).later(seconds=10).looked_at()
        assert (world.status.attempts[0].reason, world.status.retries) == (Reason.INTERRUPTED, 0)

    def test_a_complete_job_whose_pod_is_gone_is_complete(self) -> None:
        world = a_run().begun().pod_running().pod_gone().job_ends("Complete").later(seconds=10).looked_at()
        assert world.status.phase is Phase.COMPLETE
        assert world.condition(ConditionType.ARTIFACTS_UPLOADED).status is UNKNOWN

    def test_a_pod_on_an_unreachable_node_is_given_up_after_its_grace(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=1).looked_at()
        world.pod_changed(gone_by=world.now)
        assert world.later(seconds=30).decide().status.attempts[-1].ended_at is None
        decision = world.later(seconds=31).decide()
        assert decision.status.attempts[0].reason == Reason.LOST
        assert decision.actions == (DeleteJob(world.jobs[1].name, "job-1", wait=False),)


class TestStopping:
    def test_suspending_notes_why_then_deletes_the_job_then_frees_the_gpu(self) -> None:
        world = a_run().begun().pod_running().heard(epoch=4).looked_at().edited(suspend=True)
        decision = world.decide()
        assert decision.status.attempts[0].reason == Reason.SUSPENDED
        assert decision.status.attempts[0].ended_at is None
        assert decision.actions == (DeleteJob(world.jobs[1].name, "job-1"),)
        world.looked_at()
        assert world.decide().actions == ()
        world.pod_exits(12, last_words(Reason.INTERRUPTED, "saved after epoch 4", epoch=4)).looked_at()
        assert (world.status.phase, world.status.attempts[0].exit_code) == (Phase.SUSPENDED, 12)
        assert world.condition(ConditionType.SUSPENDED).status is TRUE

    def test_resuming_begins_the_next_attempt_free_of_charge(self) -> None:
        world = a_run().begun().pod_running().edited(suspend=True).looked_at().pod_exits(12).looked_at()
        world.edited(suspend=False).looked_at()
        assert (world.status.phase, world.status.current_attempt, world.status.retries) == (Phase.STARTING, 2, 0)

    def test_an_operator_that_ended_while_suspending_goes_on_with_it(self) -> None:
        world = a_run().begun().pod_running().edited(suspend=True)
        world.run = replace(world.run, status=world.decide().status)
        assert world.decide().actions == (DeleteJob(world.jobs[1].name, "job-1"),)

    def test_a_job_gone_while_suspending_is_suspended_not_lost(self) -> None:
        world = a_run().begun().pod_running().edited(suspend=True).looked_at().pod_gone().job_gone().looked_at()
        assert world.status.phase is Phase.SUSPENDED

    def test_a_run_that_ends_well_while_suspending_is_complete(self) -> None:
        world = a_run().begun().pod_running().edited(suspend=True).looked_at().pod_exits(0).looked_at()
        assert world.status.phase is Phase.COMPLETE

    @pytest.mark.parametrize(
        ("recovery", "reason"),
        [
            ({"startDeadline": "10m"}, Reason.START_DEADLINE_EXCEEDED),
            ({"activeDeadline": "10m"}, Reason.ACTIVE_DEADLINE_EXCEEDED),
        ],
    )
    def test_deadlines_of_a_run_that_does_not_start(self, recovery: dict[str, str], reason: Reason) -> None:
        world = a_run(recovery=recovery).begun().pod_created().looked_at()
        assert world.decide().requeue_after == timedelta(minutes=10)
        world.later(minutes=10).looked_at()
        assert world.jobs[1].deleting
        world.pod_gone().job_gone().looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, reason)

    def test_the_start_deadline_says_nothing_once_the_pod_runs(self) -> None:
        world = a_run(recovery={"startDeadline": "10m"}).begun().pod_running().later(hours=2)
        assert world.decide().status.attempts[0].reason is None

    def test_the_active_deadline_holds_between_attempts(self) -> None:
        world = a_run(recovery={"activeDeadline": "1h"}).begun().pod_running().pod_exits(1).looked_at()
        world.later(hours=1).looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.ACTIVE_DEADLINE_EXCEEDED)

    def test_a_job_that_exceeded_its_deadline_unseen_fails_the_run(self) -> None:
        world = a_run(recovery={"activeDeadline": "1h"}).begun().pod_running().pod_gone()
        world.job_ends("Failed", "DeadlineExceeded").later(seconds=10).looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.ACTIVE_DEADLINE_EXCEEDED)

    def test_a_trainer_that_was_heard_and_stands_still_is_restarted(self) -> None:
        world = a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().heard(epoch=2).looked_at()
        assert world.decide().requeue_after == timedelta(minutes=30)
        world.later(minutes=30).looked_at()
        assert (world.status.attempts[0].reason, world.jobs[1].deleting) == (Reason.STALLED, True)
        world.pod_exits(137).looked_at()
        assert (world.status.reason, world.status.retries) == ("Retrying", 1)

    def test_a_trainer_that_was_never_heard_is_left_alone(self) -> None:
        world = a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().later(days=1)
        assert world.decide().actions == ()
        assert world.decide().status.phase is Phase.RUNNING

    def test_silence_before_this_operator_listened_proves_nothing(self) -> None:
        world = a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().heard(epoch=2).looked_at().later(hours=5)
        world.settings = replace(world.settings, watching_since=world.now)
        for report in (None, world.report):
            world.report = report
            assert world.decide().actions == ()
            assert world.decide().requeue_after == timedelta(minutes=30)


class TestSilence:
    """Of a trainer, which is restarted; or of the intake, which is nothing that a restart would help against."""

    @pytest.mark.parametrize(
        ("others", "heard_last", "heard_since", "stalls"),
        [
            (False, None, None, True),
            (False, 0, 0, True),
            # Others are heard, all the time
            (True, 30, 0, True),
            # Nobody is heard, or not any more
            (True, None, None, False),
            (True, 0, 0, False),
            (True, 28, 0, False),
            # Others are heard again, for not as long yet
            (True, 30, 20, False),
        ],
    )
    def test_counts_only_while_others_are_heard(
        self, others: bool, heard_last: int | None, heard_since: int | None, stalls: bool
    ) -> None:
        world = a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().heard(epoch=2).looked_at()
        last, since = (None if at is None else NOON + timedelta(minutes=at) for at in (heard_last, heard_since))
        world.hearing = Hearing(last, since, others)
        world.later(minutes=30).looked_at()
        assert (world.status.attempts[0].reason == Reason.STALLED) is stalls

    def test_of_all_is_believed_in_the_end(self) -> None:
        """Two that hang, or one beside pods that never report, must not be shielded for ever."""
        world = a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().heard(epoch=2).looked_at()
        world.hearing = Hearing(NOON, NOON, others=True)
        decision = world.later(minutes=119).decide()
        assert (decision.actions, decision.requeue_after) == ((), timedelta(minutes=1))
        world.later(minutes=1).looked_at()
        assert world.status.attempts[0].reason == Reason.STALLED

    def test_a_trainer_that_stands_still_after_an_outage_is_restarted_in_time(self) -> None:
        world = a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().heard(epoch=2).looked_at()
        world.later(hours=3)
        world.hearing = Hearing(world.now, world.now, others=True)
        assert world.decide().requeue_after == timedelta(minutes=30)
        world.later(minutes=30)
        world.hearing = replace(world.hearing, last=world.now)
        assert world.looked_at().status.attempts[0].reason == Reason.STALLED


class TestStoppingOutOfReach:
    def test_a_pod_that_was_told_to_stop_is_given_up_in_time_and_for_the_reason_it_was_told(self) -> None:
        world = a_run().begun().pod_running().edited(suspend=True).looked_at()
        world.pod_changed(gone_by=world.now + timedelta(seconds=120))
        assert world.decide().requeue_after == timedelta(seconds=180)
        world.later(seconds=180).looked_at()
        assert (world.status.phase, world.status.attempts[0].reason) == (Phase.SUSPENDED, Reason.SUSPENDED)


class TestLastWords:
    @pytest.mark.parametrize("field", ["artifactsUri", "primaryArtifact"])
    def test_what_is_longer_than_status_allows_is_not_believed(self, field: str) -> None:
        """A custom image may write anything; the API server would refuse the whole status for it."""
        words = last_words(Reason.COMPLETED).replace("{", f'{{"{field}":"s3://{"x" * 1024}",', 1)
        world = a_run().begun().pod_running().pod_exits(0, words).looked_at()
        assert world.status.phase is Phase.COMPLETE
        assert (world.status.artifacts_uri, world.status.primary_artifact) == (None, None)
        TrainingRunStatus.model_validate(world.status.to_json_object())


class TestTidying:
    def test_a_finished_job_expires_only_once_its_outcome_stands_in_status(self) -> None:
        world = a_run(recovery={"ttlAfterFinished": "1h"}).begun().pod_running().pod_exits(0).job_ends("Complete")
        assert world.decide().actions == ()
        assert world.looked_at().decide().requeue_after == timedelta(seconds=10)
        assert world.later(seconds=10).decide().actions == (LimitJob(world.jobs[1].name, TTL, 3600),)
        assert world.looked_at().decide().actions == ()

    def test_an_end_learnt_late_is_tidied_up_after_although_no_event_comes_any_more(self) -> None:
        """The operator was down when pod and Job ended: what it writes itself wakes nobody."""
        world = a_run().begun().pod_running().pod_exits(0).job_ends("Complete").later(seconds=5)
        assert world.decide().status.phase is Phase.COMPLETE
        assert world.decide().requeue_after == timedelta(seconds=5)

    def test_how_long_a_finished_job_is_kept_may_be_changed_as_long_as_it_is_there(self) -> None:
        world = a_run(recovery={"ttlAfterFinished": "1h"}).begun().pod_running().pod_exits(0).job_ends("Complete")
        world.looked_at().later(seconds=10).looked_at().edited(recovery={"ttlAfterFinished": "2h"})
        assert world.decide().actions == (LimitJob(world.jobs[1].name, TTL, 7200),)

    def test_the_active_deadline_may_be_changed_while_the_job_is_at_work(self) -> None:
        world = a_run(recovery={"activeDeadline": "1h"}).begun().pod_running().later(minutes=30)
        assert world.decide().actions == ()
        world.edited(recovery={"activeDeadline": "3h"})
        assert world.decide().actions == (LimitJob(world.jobs[1].name, "activeDeadlineSeconds", 10800),)
        assert world.looked_at().decide().actions == ()

    def test_the_left_over_job_of_an_ended_attempt_is_deleted_after_a_while(self) -> None:
        world = a_run().begun().pod_running().pod_exits(10).looked_at()
        assert world.decide().requeue_after == timedelta(seconds=60)
        assert world.later(seconds=61).decide().actions == (DeleteJob(world.jobs[1].name, "job-1"),)

    def test_a_suspended_job_of_an_ended_attempt_is_deleted_before_its_queue_releases_it(self) -> None:
        """Kueue has taken the place away, and the next attempt's Job waits in the queue already."""
        world = a_run(resources={"queue": "team-a"}).begun().job_changed(suspended=False).pod_running()
        world.heard(epoch=1).looked_at().job_changed(suspended=True)
        world.pod_changed(gone_by=world.now).pod_exits(143)
        assert DeleteJob(world.jobs[1].name, "job-1") in world.decide().actions
        world.looked_at().looked_at()
        assert (world.status.current_attempt, world.status.retries) == (2, 0)

    def test_another_runs_job_is_never_touched(self) -> None:
        world = a_run().begun().pod_running().pod_exits(0).looked_at()
        world.job_changed(owner_uid="somebody-else").job_ends("Complete")
        assert world.later(days=1).decide().actions == ()


class TestConditions:
    def test_a_transition_time_moves_only_with_the_status(self) -> None:
        world = a_run().begun()
        began = world.condition(ConditionType.RECONCILING).last_transition_time
        world.later(seconds=5).pod_created(unscheduled=Trouble("Unschedulable", "no GPU")).looked_at()
        assert world.condition(ConditionType.RECONCILING).last_transition_time == began
        world.later(seconds=5).pod_running()
        assert world.condition(ConditionType.RECONCILING).last_transition_time == world.now

    @pytest.mark.parametrize("reason", ["no GPU left", "gpu-scheduler.example/Full", "Full:", "", "F" * 300])
    def test_a_reason_that_is_no_word_moves_into_the_message(self, reason: str) -> None:
        """A scheduler may say what it likes; the API server would refuse the whole status for it."""
        world = a_run().begun().pod_created(unscheduled=Trouble(reason, "0/3 nodes")).looked_at()
        condition = world.condition(ConditionType.RECONCILING)
        assert condition.reason == Phase.STARTING
        assert "0/3 nodes" in condition.message
        assert reason[:256] in condition.message
        TrainingRunStatus.model_validate(world.status.to_json_object())

    def test_an_edit_is_observed(self) -> None:
        world = a_run().begun().edited(approval={"approved": True}).looked_at()
        assert world.status.observed_generation == 2
        assert {condition.observed_generation for condition in world.status.conditions} == {2}

    def test_an_edit_of_a_finished_run_is_observed_and_changes_nothing_else(self) -> None:
        world = a_run().begun().pod_running().pod_exits(0).looked_at()
        before = world.status
        world.later(hours=1).edited(suspend=True)
        assert world.decide().actions == (DeleteJob(world.jobs[1].name, "job-1"),)
        world.looked_at()
        assert (world.status.phase, world.status.observed_generation) == (Phase.COMPLETE, 2)
        assert (world.status.finished_at, world.status.reason) == (before.finished_at, before.reason)
        assert world.decide().status == world.status


def creations(decision: Decision) -> list[CreateJob]:
    """The Jobs that a decision has created."""
    return [action for action in decision.actions if isinstance(action, CreateJob)]
