"""What signals do, within blocks that must not be torn and outside of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.interruption import Interruption

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of pytest are put back."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def installed(patience: float = 60) -> Interruption:
    interruption = Interruption(patience)
    interruption.install()
    return interruption


def tell(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_at_once_what_may_be_torn(number: signal.Signals) -> None:
    interruption = installed()
    with pytest.raises(Interrupted):
        tell(number)
    assert interruption.asked
    tell()  # what must be done after it is not disturbed


def test_a_signal_waits_for_the_end_of_a_deferred_block() -> None:
    interruption, done = installed(), []
    with pytest.raises(Interrupted), interruption.deferred():
        with interruption.deferred():
            assert not interruption.asked
            tell()
            done.append("inner")
        assert interruption.asked
        done.append("outer")
    assert done == ["inner", "outer"]


def test_a_block_without_a_signal_ends_as_any_other() -> None:
    interruption = installed()
    with pytest.raises(RunError), interruption.deferred():
        raise RunError(None, "wrong")  # type: ignore[arg-type]
    with interruption.deferred():
        pass
    assert not interruption.asked


def test_a_block_that_fails_after_the_signal_was_interrupted() -> None:
    interruption = installed()
    with pytest.raises(Interrupted), interruption.deferred():
        tell()
        raise ValueError("a worker is gone")


def test_a_block_that_takes_too_long_is_torn() -> None:
    interruption = installed(patience=0.2)
    began = time.monotonic()
    with pytest.raises(Interrupted), interruption.deferred():
        tell()
        time.sleep(30)
    assert 0.1 < time.monotonic() - began < 5


def test_what_was_left_in_time_is_not_torn_later() -> None:
    interruption = installed(patience=0.2)
    with pytest.raises(Interrupted), interruption.deferred():
        tell()
    time.sleep(0.3)


def test_what_is_settled_stays_settled() -> None:
    interruption = installed(patience=0.1)
    with interruption.deferred():
        tell()
        interruption.settle()
    tell(signal.SIGINT)
    time.sleep(0.2)


def test_a_second_ctrl_c_is_obeyed_at_once_and_a_second_sigterm_is_not() -> None:
    interruption, done = installed(), []
    with pytest.raises(Interrupted), interruption.deferred():
        tell()
        tell()
        done.append("still there")
        tell(signal.SIGINT)
        done.append("never")
    assert done == ["still there"]
    assert interruption.left == 0


def test_signals_are_held_back_until_it_begins() -> None:
    interruption = Interruption()
    interruption.install(held=True)
    tell()
    with pytest.raises(Interrupted):
        interruption.begin()


def test_the_time_that_is_left_counts_from_the_signal() -> None:
    now = 100.0
    interruption = Interruption(grace=120, clock=lambda: now)
    interruption.install()
    assert interruption.left == 105
    with pytest.raises(Interrupted):
        tell()
    now = 150.0
    assert interruption.left == 55
    now = 500.0
    assert interruption.left == 0


def test_a_forked_worker_dies_of_sigterm_and_leaves_ctrl_c_to_its_parent() -> None:
    installed()
    child = os.fork()
    if child == 0:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGTERM
