"""Manifests of every kind: API server and laptop agree on which are right, and Kubernetes takes every Job of ours."""

from __future__ import annotations

import json
from typing import Any

from modelyard_api.loading import InvalidRunError, parse_run
from modelyard_api.training_run import TrainingRun
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kube_api import ApiError
from modelyard_operator.domain.decision import CreateJob
from modelyard_operator.domain.job import job_manifest

from tests.api.conftest import Send
from tests.api.manifests import RIGHT, filled_in
from tests.fuzz.drawing import each, few_or_more
from tests.fuzz.test_training_runs import SPECS, stored

_IN_A_CLUSTER_ONLY = "is for `modelyard train` on a computer of your own"
_LARGEST_REQUEST = 3 * 2**20
"""Bytes. What is larger the API server refuses unread, and may close the connection upon."""
JOBS = "/apis/batch/v1/namespaces/default/jobs?dryRun=All&fieldValidation=Strict"


@few_or_more(150, 3000)
def test_the_laptop_agrees_on_any_manifest(served: BareControlPlane, dry_run: Send, examples: int, seed: int) -> None:
    def check(spec: Any) -> None:
        manifest = {**RIGHT, "spec": spec}
        if len(json.dumps(manifest)) > _LARGEST_REQUEST:
            assert is_refused_here(manifest)
            return
        try:
            kept = dry_run(manifest)["spec"]
        except ApiError as refusal:
            assert refusal.code in (400, 422), refusal
            if _IN_A_CLUSTER_ONLY not in str(refusal):
                assert is_refused_here(manifest), refusal
        else:
            assert kept == filled_in(manifest)
            takes_the_job(served, kept)

    each(SPECS, examples, seed, check)


def is_refused_here(manifest: Any) -> bool:
    try:
        found = parse_run(manifest)
    except InvalidRunError as refusal:
        assert refusal.problems
        assert all(str(problem).strip() for problem in refusal.problems)
        return True
    assert isinstance(found, TrainingRun)
    return False


def takes_the_job(served: BareControlPlane, spec: Any) -> None:
    world = stored(spec)
    decision = world.decide()
    for action in decision.actions:
        if isinstance(action, CreateJob):
            job = job_manifest(world.run, action.attempt, world.settings)
            job["metadata"]["namespace"] = "default"
            served.api.post(JOBS, job)
