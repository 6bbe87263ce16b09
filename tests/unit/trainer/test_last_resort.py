"""A main thread that hangs where no Python handler is run, and forked workers that must not be mistaken for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

HANGS = """
import ctypes, os, signal, sys, time
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.last_resort import LastResort
interruption = Interruption()
interruption.install()
LastResort(interruption, lambda: os._exit(12), after=1.0).watch()
print("ready", flush=True)
{then}
"""
IN_NATIVE_CODE = """
libc = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)
libc.pthread_mutex_lock(mutex)  # goes on waiting after a signal, as a driver does that never answers
"""
IN_A_DEFERRED_BLOCK = """
with interruption.deferred():
    time.sleep(30)
"""
A_WORKER = """
child = os.fork()
if child == 0:
    time.sleep(30)
    os._exit(0)
time.sleep(0.3)  # Python drops what comes while it forks
os.kill(child, signal.SIGTERM)
os.waitpid(child, 0)
time.sleep(2)
os._exit(0)
"""
SETTLED = """
with interruption.deferred():
    time.sleep(0.5)
    interruption.settle()
time.sleep(2)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("then", "told", "code"),
    [
        (IN_NATIVE_CODE, True, 12),
        (IN_A_DEFERRED_BLOCK, True, 12),
        (A_WORKER, False, 0),
        (SETTLED, True, 0),
    ],
    ids=["hangs in native code", "heard and hangs", "a worker's signal", "ends in order"],
)
def test_a_process_ends_in_time_if_it_was_told_to(then: str, told: bool, code: int) -> None:
    command = [sys.executable, "-c", HANGS.format(then=then)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.2)
            if told:
                process.send_signal(signal.SIGTERM)
            assert process.wait(10) == code
        finally:
            process.kill()
