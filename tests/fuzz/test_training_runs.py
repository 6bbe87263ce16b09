"""Specs of every kind, through the operator: it never crashes, and asks Kubernetes for nothing that is none."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from modelyard_api.layout import RunLayout
from modelyard_api.outcome import EXIT_CODES
from modelyard_api.report import Stage
from modelyard_api.run_document import RUN_ANNOTATION, RunDocument, read_run_document
from modelyard_api.schema import training_run_schema
from modelyard_api.status import TrainingRunStatus
from modelyard_operator.domain.decision import CreateJob, LimitJob
from modelyard_operator.domain.job import job_manifest
from modelyard_operator.domain.observed import Trouble
from modelyard_operator.kube.stored_run import store_run

from tests.fuzz.drawing import TEXTS, altered, each, share
from tests.fuzz.kubernetes import broken_rules
from tests.fuzz.openapi import violations
from tests.fuzz.specs import FULL, SMALL
from tests.unit.operator_.world import NOON, RUN_UID, World, last_words

STATUS = training_run_schema()["properties"]["status"]
Event = Callable[[World], object]
_MOST_EVENTS = 8


def stored(spec: Any) -> World:
    """A run whose spec the API server is said to have let through."""
    metadata = {
        "namespace": "vision",
        "name": "digits",
        "uid": RUN_UID,
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": NOON.isoformat(),
    }
    return World(store_run({"metadata": metadata, "spec": spec}).observed())


def with_pod(event: Event) -> Event:
    """An event that happens only to a pod that is there."""
    return lambda world: event(world) if world.attempt in world.pods else None


def with_job(event: Event) -> Event:
    """An event that happens only to a Job that is there."""
    return lambda world: event(world) if world.attempt in world.jobs else None


def _ends(code: int, message: str, reason: str) -> Event:
    return with_pod(
        lambda world: world.pod_exits(code, message.replace('"attempt":1', f'"attempt":{world.attempt}'), reason)
    )


def _job_gone(world: World) -> None:
    world.job_gone()
    world.pods.pop(world.attempt, None)


def _suspended(world: World, suspend: bool) -> None:
    if world.run.spec is not None:
        spec = world.run.spec.model_copy(update={"suspend": suspend})
        world.run = replace(world.run, spec=spec, generation=world.run.generation + 1)


WORDS = st.sampled_from(sorted(EXIT_CODES)).flatmap(
    lambda reason: altered(json.loads(last_words(reason, epoch=3, epochs=30))).map(lambda said: json.dumps(said)[:4096])
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda minutes: lambda world: world.later(minutes=minutes), st.sampled_from([1, 60, 10_000])),
    st.sampled_from(
        [
            with_job(World.pod_created),
            with_job(lambda world: world.pod_running()),
            with_job(lambda world: world.pod_running()),
            with_pod(World.pod_disrupted),
            with_pod(World.pod_gone),
            with_job(_job_gone),
            with_job(lambda world: world.job_changed(suspended=True)),
            with_job(lambda world: world.job_changed(suspended=False)),
            with_pod(lambda world: world.pod_changed(gone_by=world.now)),
            with_pod(lambda world: world.heard(Stage.TRAINING, epoch=2, epochs=30, percent=5)),
            World.being_deleted,
        ]
    ),
    st.builds(
        _ends,
        st.sampled_from([0, 1, 10, 11, 12, 13, 14, 15, 137, 143, 255]),
        WORDS | TEXTS,
        st.sampled_from(["", "OOMKilled"]),
    ),
    st.builds(
        lambda outcome, message: with_job(lambda world: world.job_ends(outcome, "PodFailurePolicy", message)),
        st.sampled_from(["Complete", "Failed"]),
        st.sampled_from(["failed with exit code 11", "failed with exit code 99999999999999999999"]) | TEXTS,
    ),
    st.builds(
        lambda text: with_pod(
            lambda world: world.pod_changed(waiting=Trouble(text, text), failure=Trouble(text, text))
        ),
        TEXTS,
    ),
    st.builds(
        lambda text, final: lambda world: world.job_refused(text, final=final) if world.attempt else None,
        TEXTS,
        st.booleans(),
    ),
    st.builds(lambda suspend: lambda world: _suspended(world, suspend), st.booleans()),
)
SPECS = st.sampled_from([FULL, FULL, SMALL]).flatmap(lambda spec: altered(spec, most=5))


@share(120)
def test_the_operator_makes_something_right_of_any_spec(examples: int, seed: int) -> None:
    each(st.tuples(SPECS, st.lists(EVENTS, max_size=_MOST_EVENTS)), examples, seed, lambda drawn: live(*drawn))


def live(spec: Any, events: list[Event]) -> None:
    world = stored(spec)
    look(world)
    look(world)
    for event in events:
        event(world)
        look(world)


def look(world: World) -> None:
    decision = world.decide()
    assert decision == world.decide()
    told = decision.status.to_json_object()
    assert list(violations(told, STATUS)) == []
    assert TrainingRunStatus.model_validate_json(json.dumps(told)) == decision.status
    for action in decision.actions:
        if isinstance(action, CreateJob):
            run = replace(world.run, status=decision.status)
            has_a_right_job(job_manifest(run, action.attempt, world.settings))
        if isinstance(action, LimitJob):
            assert action.seconds is None or 0 <= action.seconds < 2**31
    world.looked_at()


def has_a_right_job(job: dict[str, Any]) -> None:
    assert list(broken_rules(job)) == []
    document, unknown = read_run_document(job["spec"]["template"]["metadata"]["annotations"][RUN_ANNOTATION])
    assert unknown == ()
    stays_in_its_folder(document)


def stays_in_its_folder(document: RunDocument) -> None:
    """Every key below `<prefix>/<namespace>/<name>/<uid>/`, whoever takes keys for paths."""
    place = document.spec.artifacts.s3
    prefix = place.uri.removeprefix("s3://").partition("/")[2].strip("/") if place is not None else ""
    layout = RunLayout(prefix, document.namespace, document.name, document.uid)
    attempt = layout.attempt("pod-uid")
    root = posixpath.join(prefix, document.namespace, document.name, document.uid)
    for key in (layout.pointer, layout.claim, attempt.artifacts, attempt.checkpoints, attempt.logs, attempt.checksums):
        assert not {".", ".."} & set(key.split("/"))
        assert posixpath.normpath(key).startswith(posixpath.normpath(root) + "/")
