"""Who may say what to the intake: real keys, real tokens, real TLS, and every way to forge them."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from modelyard_api.report import MAX_REPORT_BYTES, REPORT_PATH
from modelyard_operator.intake.certificates import client_context, make_certificates
from modelyard_operator.intake.keys import SigningKeys
from modelyard_operator.intake.tokens import TokenError, identify
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.reconcile.leadership import ADDRESS, CERTIFICATE

from tests.unit.operator_.intake import (
    ISSUER,
    OTHER_KEY,
    Cluster,
    Intake,
    claims,
    report,
    signed,
    signed_with_the_public_key,
    unsigned,
)
from tests.unit.operator_.world import a_run


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    made = Intake(a_run().begun().pod_running())
    await made.start()
    yield made
    await made.stop()


async def test_the_run_s_own_pod_is_heard(intake: Intake) -> None:
    assert await intake.send(signed(claims(intake.world))) == 200
    assert intake.woken == [intake.world.run.key]
    assert intake.reports.of_pods(["pod-1"])[0].report.epoch == 3


async def test_an_old_report_is_answered_and_dropped(intake: Intake) -> None:
    token = signed(claims(intake.world))
    assert await intake.send(token, report(sequence=5, epoch=9)) == 200
    assert await intake.send(token, report(sequence=4, epoch=8)) == 200
    assert intake.reports.of_pods(["pod-1"])[0].report.epoch == 9


@pytest.mark.parametrize(
    "forge",
    [
        lambda content: None,
        lambda content: "no.token.atall",
        lambda content: "",
        lambda content: signed(content, OTHER_KEY),
        lambda content: signed(content, OTHER_KEY, kid="unknown"),
        lambda content: signed(content, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
        unsigned,
        signed_with_the_public_key,
        lambda content: signed(content | {"exp": int(time.time()) - 60}),
        lambda content: signed({key: value for key, value in content.items() if key != "exp"}),
        lambda content: signed(content | {"aud": ["https://kubernetes.default.svc"]}),
        lambda content: signed(content | {"iss": "https://another.example"}),
        lambda content: signed(content)[:-6] + "AAAAAA",
    ],
    ids=[
        "no token",
        "no JWT",
        "empty",
        "signed by another under a known name",
        "signed by another",
        "another algorithm",
        "unsigned",
        "the public key as a secret",
        "expired",
        "never expires",
        "for the API server",
        "of another cluster",
        "tampered with",
    ],
)
async def test_a_token_that_proves_nothing_is_401(intake: Intake, forge: Any) -> None:
    assert await intake.send(forge(claims(intake.world))) == 401
    assert (intake.woken, len(intake.reports)) == ([], 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.pods.update({1: replace(world.pods[1], uid="pod-2")}),
        lambda world: world.pods.update({1: replace(world.pods[1], job_uid="somebody-else")}),
        lambda world: world.pods.update({1: replace(world.pods[1], job_uid=None)}),
        lambda world: world.jobs.update({1: replace(world.jobs[1], owner_uid="somebody-else")}),
        lambda world: world.jobs.update({1: replace(world.jobs[1], owner_uid=None)}),
        lambda world: world.pods.update({1: replace(world.pods[1], namespace="another")}),
        lambda world: world.pod_exits(1).looked_at(),
        lambda world: world.pod_exits(1).looked_at().later(seconds=11).looked_at(),
    ],
    ids=[
        "an unknown pod",
        "a pod of another's Job",
        "a pod of no Job",
        "a Job of another",
        "a Job of nobody",
        "a pod of another namespace",
        "an attempt that has ended",
        "an attempt that is not the current one",
    ],
)
async def test_whoever_may_not_speak_for_the_run_is_403(change: Any) -> None:
    world = a_run().begun().pod_running()
    token = signed(claims(world))
    change(world)
    made = Intake(world)
    await made.start()
    try:
        assert await made.send(token) == 403
        assert (made.woken, len(made.reports)) == ([], 0)
    finally:
        await made.stop()


async def test_a_token_of_bytes_that_are_no_text_proves_nothing() -> None:
    header = b"a\xff.b.c".decode(errors="surrogateescape")  # as aiohttp reads headers
    with pytest.raises(TokenError):
        await identify(header, SigningKeys(cast("KubeClient", Cluster())))


@pytest.mark.parametrize(
    "bound",
    [{"kubernetes.io": {"namespace": "vision"}}, {"kubernetes.io": "vision"}, {"kubernetes.io": {"pod": []}}, {}],
    ids=str,
)
async def test_a_sound_token_that_is_no_pod_s_is_403(intake: Intake, bound: dict[str, Any]) -> None:
    content = {key: value for key, value in claims(intake.world).items() if key != "kubernetes.io"}
    assert await intake.send(signed(content | bound)) == 403
    assert (intake.woken, len(intake.reports)) == ([], 0)


async def test_a_report_of_another_attempt_is_403(intake: Intake) -> None:
    assert await intake.send(signed(claims(intake.world)), report(attempt=2)) == 403


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'{"sequence": 1}', json.dumps(report(epoch=-1)).encode(), b"\xff\xfe"),
        # What the API server would refuse in a status, and with it all that comes after it.
        json.dumps(report(epoch=10**30)).encode(),
        json.dumps(report(etaSeconds=1e300)).encode(),
        json.dumps(report(checkpoint={"epoch": 1, "uri": "s3://a", "takenAt": "2026-11-21T12:00:00"})).encode(),
    ],
)
async def test_what_is_no_report_is_400(intake: Intake, body: bytes) -> None:
    assert await intake.send(signed(claims(intake.world)), raw=body) == 400


async def test_not_a_number_is_400(intake: Intake) -> None:
    body = report(metrics=[{"name": "mAP50", "value": float("nan")}])
    assert await intake.send(signed(claims(intake.world)), raw=json.dumps(body).encode()) == 400


async def test_too_much_is_413(intake: Intake) -> None:
    assert await intake.send(signed(claims(intake.world)), raw=b" " * (MAX_REPORT_BYTES + 1)) == 413


async def test_too_often_is_429(intake: Intake) -> None:
    token = signed(claims(intake.world))
    answers = [await intake.send(token, report(sequence=number)) for number in range(1, 6)]
    assert answers == [200, 200, 200, 429, 429]


async def test_unknown_keys_do_not_make_the_intake_ask_again_and_again(intake: Intake) -> None:
    for _ in range(5):
        await intake.send(signed(claims(intake.world), OTHER_KEY, kid="unknown"))
    assert intake.cluster.reads == 1


@pytest.mark.parametrize("trouble", [ApiError(503, "", ""), aiohttp.ClientConnectionError(), TimeoutError()])
async def test_known_keys_are_kept_while_they_cannot_be_read_again(trouble: Exception) -> None:
    cluster, now = Cluster(), 1000.0
    keys = SigningKeys(cast("KubeClient", cluster), shortest_refresh=10, longest_refresh=3600, clock=lambda: now)
    cluster.trouble = trouble
    with pytest.raises(type(trouble)):
        await keys.find("one")
    cluster.trouble, cluster.reads = None, 0
    assert (await keys.find("one"))[0] is not None
    cluster.trouble = trouble
    now += 3601
    for _ in range(3):
        assert (await keys.find("one"))[0] is not None
        assert await keys.find("unknown") == (None, ISSUER)
    assert cluster.reads == 2
    now += 11
    await keys.find("one")
    assert cluster.reads == 3
    cluster.trouble = None
    now += 11
    await keys.find("one")
    await keys.find("one")
    assert cluster.reads == 4


async def test_without_the_authority_there_is_no_connection(intake: Intake) -> None:
    intake.ca = make_certificates(["localhost"], "impostor").ca
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await intake.send(signed(claims(intake.world)))


async def test_old_tls_is_refused(intake: Intake) -> None:
    context = client_context(intake.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"https://localhost:{intake.port}{REPORT_PATH}", ssl=context)


class TestStandby:
    async def test_hands_the_report_to_the_leader(self, intake: Intake) -> None:
        standby = Intake(intake.world, leads=False)
        standby.leader = {ADDRESS: f"https://127.0.0.1:{intake.port}", CERTIFICATE: intake.ca}
        await standby.start()
        try:
            assert await standby.send(signed(claims(intake.world))) == 200
            assert await standby.send(signed(claims(intake.world)), report(attempt=2)) == 403
        finally:
            await standby.stop()
        assert (intake.woken, standby.woken) == ([intake.world.run.key], [])

    async def test_answers_503_where_nobody_leads(self, intake: Intake) -> None:
        intake.leads = False
        assert await intake.send(signed(claims(intake.world))) == 503

    async def test_does_not_trust_an_impostor(self, intake: Intake) -> None:
        standby = Intake(intake.world, leads=False)
        impostor = make_certificates(["localhost"], "impostor").ca
        standby.leader = {ADDRESS: f"https://127.0.0.1:{intake.port}", CERTIFICATE: impostor}
        await standby.start()
        try:
            assert await standby.send(signed(claims(intake.world))) == 503
        finally:
            await standby.stop()

    async def test_two_standbys_do_not_play_ball(self, intake: Intake) -> None:
        intake.leads = False
        standby = Intake(intake.world, leads=False)
        standby.leader = {ADDRESS: f"https://127.0.0.1:{intake.port}", CERTIFICATE: intake.ca}
        await standby.start()
        try:
            assert await standby.send(signed(claims(intake.world))) == 503
        finally:
            await standby.stop()

    async def test_checks_tokens_itself(self, intake: Intake) -> None:
        intake.leads = False
        assert await intake.send(signed(claims(intake.world), OTHER_KEY)) == 401
