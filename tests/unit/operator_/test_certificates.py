"""A mounted Secret with the intake's certificate: used as it is, and as it becomes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from modelyard_operator.intake.certificates import MOUNTED, Certificates, follow, issue, load_certificates

from tests.unit.operator_.intake import Intake, claims, signed
from tests.unit.operator_.world import a_run

_PAUSE = 0.01


@pytest.fixture
async def secret(tmp_path: Path) -> AsyncIterator[Path]:
    mount(tmp_path, "first")
    yield tmp_path


@pytest.fixture
async def certificates(secret: Path) -> AsyncIterator[Certificates]:
    """Followed as the operator follows them, only more often."""
    found = load_certificates(secret)
    following = asyncio.create_task(follow(found, secret, _PAUSE))
    yield found
    following.cancel()


@pytest.fixture
async def intake(certificates: Certificates) -> AsyncIterator[Intake]:
    started = Intake(a_run().begun().pod_running())
    await started.start(certificates)
    yield started
    await started.stop()


async def test_a_renewed_secret_is_shown_to_whoever_connects_next(
    intake: Intake, certificates: Certificates, secret: Path
) -> None:
    """It was read once, at the start: with the old certificate's last day all reports would have ended."""
    assert await intake.send(signed(claims(intake.world))) == 200
    mount(secret, "second")
    await until_it_differs(certificates, intake.ca)

    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await intake.send(signed(claims(intake.world)))
    intake.ca = certificates.ca
    assert intake.ca == (secret / "ca.crt").read_text()
    assert await intake.send(signed(claims(intake.world))) == 200


async def test_half_a_pair_is_not_shown(intake: Intake, certificates: Certificates, secret: Path) -> None:
    """A certificate whose key is another's: the one before goes on until the pair is whole."""
    key = (secret / "tls.key").read_bytes()
    mount(secret, "second")
    whole = (secret / "tls.key").read_bytes()
    (secret / "tls.key").write_bytes(key)
    with pytest.raises(ssl.SSLError):
        load_certificates(secret)
    await asyncio.sleep(5 * _PAUSE)
    assert await intake.send(signed(claims(intake.world))) == 200

    (secret / "tls.key").write_bytes(whole)
    await until_it_differs(certificates, intake.ca)


def mount(folder: Path, owner: str) -> None:
    for name, content in zip(MOUNTED, issue(["localhost"], owner), strict=True):
        (folder / name).write_bytes(content)


async def until_it_differs(certificates: Certificates, ca: str) -> None:
    for _ in range(1000):
        if certificates.ca != ca:
            return
        await asyncio.sleep(_PAUSE)
    raise AssertionError("nothing was renewed")
