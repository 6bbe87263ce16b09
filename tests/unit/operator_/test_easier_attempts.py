"""Attempts that asked for too much: the next one asks for less, and says so in a person's words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RUN_ANNOTATION, RunDocument
from modelyard_api.spec import ImageCache
from modelyard_api.status import ConditionType, Phase
from modelyard_operator.domain.job import job_manifest

from tests.unit.operator_.world import SETTINGS, World, a_run, last_words


def runs_out(world: World) -> World:
    """The latest attempt begins to run and its GPU's memory does not do."""
    world.pod_running().pod_exits(11, last_words(Reason.OUT_OF_MEMORY, "out of memory", attempt=world.attempt))
    return world.looked_at()


def is_killed(world: World) -> World:
    """The latest attempt begins to run and the pod's memory does not do."""
    world.pod_running().pod_exits(137, reason="OOMKilled")
    return world.looked_at()


def diverges(world: World) -> World:
    words = last_words(Reason.DIVERGED, "the loss is nan in epoch 3", attempt=world.attempt)
    world.pod_running().pod_exits(14, words)
    return world.looked_at()


def document_of(world: World) -> RunDocument:
    """What the latest attempt's trainer reads."""
    manifest = job_manifest(world.run, world.status.attempts[-1], SETTINGS)
    text = manifest["spec"]["template"]["metadata"]["annotations"][RUN_ANNOTATION]
    return RunDocument.model_validate(json.loads(text))


class TestGpuMemory:
    def test_the_next_attempt_has_half_the_batch_at_once_and_free_of_charge(self) -> None:
        world = runs_out(a_run().begun())
        assert (world.status.phase, world.status.reason, world.status.retries) == (Phase.PENDING, "Retrying", 0)
        words = "attempt 1 ran out of GPU memory with a batch of 32; attempt 2 goes on with a batch of 16"
        assert world.status.message == world.condition(ConditionType.RECONCILING).message == words
        assert world.decide().requeue_after != timedelta(seconds=10)
        world.looked_at()
        assert [attempt.batch_size for attempt in world.status.attempts] == [32, 16]
        assert world.status.batch_size == document_of(world).batch_size == 16
        assert (world.status.message or "").endswith("with a batch of 16")

    def test_optimizer_steps_stay_as_large_unless_asked_otherwise(self) -> None:
        world = runs_out(a_run(training={"gradientAccumulation": 2}).begun()).looked_at()
        document = document_of(world)
        assert (document.training.batch_size, document.step_size, document.learning_rate_factor) == (16, 64, 1.0)
        assert world.status.attempts[1].effective_batch_size is None

    @pytest.mark.parametrize(("choice", "rate"), [("keep", 0.001), ("scale", 0.0005)])
    def test_smaller_steps_and_their_learning_rate(self, choice: str, rate: float) -> None:
        oom = {"keepEffectiveBatch": False, "learningRate": choice}
        world = runs_out(a_run(training={"gradientAccumulation": 2}, recovery={"oom": oom}).begun())
        assert "optimizer steps of 32 pictures" in (world.status.message or "")
        document = document_of(world.looked_at())
        assert (document.training.batch_size, document.step_size) == (16, 32)
        assert document.training.optimizer.learning_rate == pytest.approx(rate)
        again = document_of(runs_out(world).looked_at())
        assert (again.training.batch_size, again.step_size) == (8, 16)
        assert again.training.optimizer.learning_rate == pytest.approx(rate / 2 if choice == "scale" else rate)

    @pytest.mark.parametrize(
        ("oom", "batches", "why"),
        [
            ({}, [32, 16, 8, 4, 2], "recovery.oom.maxReductions, 4, are used"),
            ({"maxReductions": 1}, [32, 16], "recovery.oom.maxReductions, 1, are used"),
            ({"minBatchSize": 8}, [32, 16, 8], "recovery.oom.minBatchSize, 8, allows no smaller one"),
            ({"minBatchSize": 12}, [32, 16, 12], "recovery.oom.minBatchSize, 12, allows no smaller one"),
            ({"minBatchSize": 64}, [32], "recovery.oom.minBatchSize, 64, allows no smaller one"),
            ({"factor": 0.29, "maxReductions": 16}, [32, 9, 2, 1], "minBatchSize, 1, allows no smaller one"),
            ({"action": "fail"}, [32], "recovery.oom.action is fail"),
        ],
    )
    def test_until_nothing_smaller_is_left(self, oom: dict[str, Any], batches: list[int], why: str) -> None:
        world = a_run(recovery={"oom": oom, "maxRetries": 0}).begun()
        while world.status.phase is not Phase.FAILED:
            runs_out(world).looked_at()
        assert [attempt.batch_size for attempt in world.status.attempts] == batches
        assert (world.status.reason, world.status.retries) == (Reason.OUT_OF_MEMORY, 0)
        assert why in (world.status.message or "")

    def test_several_gpus_can_share_every_smaller_batch(self) -> None:
        classification: dict[str, Any] = {"task": "classification", "dataset": {"format": "image-folder"}}
        training = {"batchSize": 36, "imageSize": 224}
        world = a_run(**classification, training=training, resources={"gpus": 4}, recovery={"maxRetries": 0}).begun()
        while world.status.phase is not Phase.FAILED:
            runs_out(world).looked_at()
        assert [attempt.batch_size for attempt in world.status.attempts] == [36, 16, 8, 4]
        assert "and 4 GPUs can share no smaller one; what would help: training.imageSize" in (
            world.status.message or ""
        )

    def test_then_it_recommends_numbers_that_would_be_smaller(self) -> None:
        spec: dict[str, Any] = {"model": {"architecture": "yolov8m"}, "resources": {"gpuType": "nvidia-l4"}}
        world = runs_out(a_run(**spec, recovery={"oom": {"action": "fail"}}).begun())
        assert world.condition(ConditionType.FAILED).message == (
            "attempt 1 ran out of GPU memory with a batch of 32, and recovery.oom.action is fail; what would help: "
            "training.batchSize 16 instead of 32; training.imageSize 512 instead of 640; model.architecture yolov8s "
            "instead of yolov8m; training.amp bf16; a GPU with more memory than nvidia-l4"
        )

    def test_what_cannot_be_smaller_is_not_recommended(self) -> None:
        training = {"batchSize": 1, "imageSize": 32, "amp": "fp16"}
        world = runs_out(a_run(training=training).begun())
        assert (world.status.message or "").endswith("what would help: a GPU with more memory")

    def test_smaller_pictures_are_those_of_the_task(self) -> None:
        faces: dict[str, Any] = {"task": "face-id", "training": {"imageSize": 112}}
        persons: dict[str, Any] = {"task": "reid", "reid": {"height": 256, "width": 128}}
        for spec, advice in (
            ({**faces, "dataset": {"format": "image-folder"}}, "training.imageSize 89 instead of 112"),
            ({**persons, "dataset": {"format": "market1501"}}, "smaller reid.height and reid.width than 256 x 128"),
        ):
            world = runs_out(a_run(**spec, recovery={"oom": {"action": "fail"}}).begun())
            assert advice in (world.status.message or "")

    def test_a_smaller_batch_stays_after_an_interruption(self) -> None:
        world = runs_out(a_run().begun()).looked_at().pod_running().heard(epoch=3).looked_at()
        world.pod_disrupted().pod_exits(12).looked_at().looked_at()
        assert [attempt.batch_size for attempt in world.status.attempts] == [32, 16, 16]

    def test_a_batch_that_the_trainer_lowered_by_itself_is_the_one_in_use(self) -> None:
        """Some libraries do so in the first epoch; a batch above the attempt's own is not believed."""
        world = a_run().begun().pod_running().heard(batch_size=8).looked_at()
        assert (world.status.batch_size, world.status.attempts[0].batch_size) == (8, 8)
        world.heard(batch_size=4096).looked_at()
        assert (world.status.batch_size, world.status.attempts[0].batch_size) == (8, 8)
        world.pod_exits(11).looked_at().looked_at()
        assert [attempt.batch_size for attempt in world.status.attempts] == [8, 4]

    def test_so_it_is_where_that_is_learnt_with_the_end(self) -> None:
        world = a_run().begun().pod_running().heard(batch_size=8).pod_exits(11).looked_at()
        assert "with a batch of 8; attempt 2 goes on with a batch of 4" in (world.status.message or "")
        assert [attempt.batch_size for attempt in world.looked_at().status.attempts] == [8, 4]

    def test_a_job_whose_pod_is_gone_still_tells(self) -> None:
        message = "Container trainer for pod vision/x failed with exit code 11 matching FailJob rule at index 0"
        world = a_run().begun().pod_running().pod_gone().job_ends("Failed", "PodFailurePolicy", message)
        world.later(seconds=10).looked_at()
        assert world.looked_at().status.attempts[1].batch_size == 16


class TestHostMemory:
    def test_first_no_cache_and_half_the_workers_then_none_then_it_fails_with_advice(self) -> None:
        training = {"cache": "memory", "workers": 8}
        world = is_killed(a_run(training=training, resources={"memory": "16Gi"}).begun())
        assert world.status.message == (
            "attempt 1 needed more memory than resources.memory, 16Gi; attempt 2 goes on with 4 loader workers instead "
            "of 8 and no image cache"
        )
        assert (world.status.phase, world.status.retries) == (Phase.PENDING, 1)
        world.later(minutes=1).looked_at()
        found = document_of(world).training
        assert (found.workers, found.cache, found.batch_size) == (4, ImageCache.NONE, 32)
        is_killed(world).later(minutes=1).looked_at()
        found = document_of(world).training
        assert (found.workers, found.cache) == (0, ImageCache.NONE)
        is_killed(world)
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.HOST_OUT_OF_MEMORY)
        assert "what would help: resources.memory 24Gi instead of 16Gi" in (world.status.message or "")
        assert [(attempt.loader_workers, attempt.image_cache) for attempt in world.status.attempts] == [
            (None, None),
            (4, ImageCache.NONE),
            (0, ImageCache.NONE),
        ]

    def test_without_a_gpu_there_are_no_workers_to_do_without(self) -> None:
        """And the batch lies in the same memory."""
        training = {"cache": "memory", "batchSize": 4, "imageSize": 64}
        resources = {"gpus": 0, "memory": "1Gi", "sharedMemory": "256Mi"}
        world = a_run(training=training, resources=resources, recovery={"oom": {"maxReductions": 1}})
        told = []
        for _ in range(3):
            is_killed(world.begun()).later(minutes=1)
            told.append((world.status.message or "").partition("1Gi")[2])
        assert told == [
            "; attempt 2 goes on with no image cache",
            "; attempt 3 goes on with a batch of 2",
            ", and recovery.oom.maxReductions, 1, are used; what would help: resources.memory 1536Mi instead of 1Gi; "
            "training.batchSize 1 instead of 2; training.imageSize 32 instead of 64",
        ]
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.HOST_OUT_OF_MEMORY)

    def test_a_batch_that_does_not_fit_without_a_gpu_is_not_said_to_be_the_gpus_fault(self) -> None:
        world = runs_out(a_run(resources={"gpus": 0}, recovery={"oom": {"maxReductions": 1}}).begun())
        assert "attempt 1 ran out of memory with a batch of 32;" in (world.status.message or "")
        runs_out(world.looked_at())
        assert "GPU" not in (world.status.message or "")

    def test_memory_that_fills_up_slowly_is_tried_again_as_long_as_it_comes_further(self) -> None:
        world = a_run(resources={"gpus": 0}, training={"batchSize": 1}).begun().pod_running().heard(epoch=5).looked_at()
        world.pod_exits(137, reason="OOMKilled").looked_at()
        assert (world.status.phase, world.status.retries) == (Phase.PENDING, 1)
        assert (world.status.message or "").endswith("so attempt 2 tries the same again")
        world.later(seconds=11).looked_at().pod_running().heard(epoch=5, resumed_from_epoch=5).looked_at()
        world.pod_exits(137, reason="OOMKilled").looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.HOST_OUT_OF_MEMORY)

    def test_retries_that_run_out_leave_the_advice(self) -> None:
        world = is_killed(a_run(recovery={"maxRetries": 0}).begun())
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.RETRIES_EXHAUSTED)
        assert "what would help: resources.memory" in (world.status.message or "")

    def test_what_the_trainer_says_of_it_is_kept(self) -> None:
        words = last_words(Reason.HOST_OUT_OF_MEMORY, "DataLoader worker (pid 7) is killed by signal: Killed")
        world = a_run().begun().pod_running().pod_exits(1, words).looked_at()
        assert "DataLoader worker" in (world.status.attempts[0].message or "")
        assert world.later(minutes=1).looked_at().status.attempts[1].loader_workers == 4


class TestDivergence:
    def test_fails_unless_asked_otherwise(self) -> None:
        world = diverges(a_run().begun())
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.DIVERGED)
        assert "the loss is nan in epoch 3" in (world.status.message or "")
        assert "recovery.divergence.action retry" in (world.status.message or "")

    def test_goes_on_with_a_lower_learning_rate_free_of_charge(self) -> None:
        divergence = {"action": "retry", "learningRateFactor": 0.1, "maxRetries": 2}
        world = diverges(a_run(recovery={"divergence": divergence, "maxRetries": 0}).begun())
        assert world.status.message == (
            "attempt 1 diverged: the loss is nan in epoch 3; attempt 2 goes on with 0.1 of the learning rate that was "
            "asked for"
        )
        found = document_of(world.looked_at()).training
        assert found.optimizer.learning_rate == pytest.approx(1e-4)
        assert found.schedule.warmup_bias_learning_rate == pytest.approx(0.01)
        assert document_of(diverges(world).looked_at()).training.optimizer.learning_rate == pytest.approx(1e-5)
        diverges(world)
        assert (world.status.phase, world.status.reason, world.status.retries) == (Phase.FAILED, Reason.DIVERGED, 0)
        assert "recovery.divergence.maxRetries, 2, are used" in (world.status.message or "")
        assert [attempt.learning_rate_factor for attempt in world.status.attempts] == [None, "0.1", "0.01"]

    def test_a_lower_learning_rate_and_a_smaller_batch_add_up(self) -> None:
        world = diverges(a_run(recovery={"divergence": {"action": "retry"}}).begun())
        document = document_of(runs_out(world.looked_at()).looked_at())
        assert (document.batch_size, document.learning_rate_factor) == (16, 0.1)
