"""What an everyday run takes of what would last too long: another share each day, so that nothing rots unseen."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `--long-share N` keep one in N of the tests marked `long`."""
    parser.addoption(
        "--long-share",
        type=int,
        default=1,
        metavar="N",
        help="of the long tests, run one in N, another each day",
    )
    parser.addoption(
        "--seed",
        type=int,
        default=date.today().toordinal(),
        metavar="N",
        help="what is drawn by chance is drawn from N; by default from the day",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to draw the same again."""
    return f"what is drawn by chance: --seed {config.getoption('--seed')}"


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What to draw from."""
    found: int = pytestconfig.getoption("--seed")
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long tests whose turn it is not."""
    shares: int = config.getoption("--long-share")
    left_out = [
        item for item in items if (long := item.get_closest_marker("long")) and not is_turn_of(turn(item, long), shares)
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def turn(item: pytest.Item, long: pytest.Mark) -> str:
    """What has its turn: a test, or all tests whose marks have one name, since they share what lasts."""
    return str(long.args[0]) if long.args else item.nodeid


def is_turn_of(test: str, shares: int, today: date | None = None) -> bool:
    """Whether `test` is in the share of the day; within `shares` days every test has its turn."""
    day = (today or date.today()).toordinal()
    # Names that differ in a digit are to be far apart, which checksums such as CRC-32 do not promise.
    return int.from_bytes(hashlib.sha256(test.encode()).digest()[:8]) % shares == day % shares
