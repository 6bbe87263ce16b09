"""What an everyday run takes of what would last too long: another share each day, so that nothing rots unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `--long-share N` keep one in N of the tests marked `long`."""
    parser.addoption(
        "--long-share",
        type=int,
        default=1,
        metavar="N",
        help="of the long tests, run one in N, another each day; above 1, of each group one of those in turn",
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
    """Leave out the long tests whose turn it is not, and of those that take turns all but one."""
    shares: int = config.getoption("--long-share")
    left_out = [
        item for item in items if (long := item.get_closest_marker("long")) and not is_turn_of(turn(item, long), shares)
    ]
    if shares > 1:
        for group in by_group(items).values():
            left_out += [item for item in group if item is not one_of_the_day(group)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def turn(item: pytest.Item, long: pytest.Mark) -> str:
    """What has its turn: a test, or all tests whose marks have one name, since they share what lasts."""
    return str(long.args[0]) if long.args else item.nodeid


def by_group(items: Iterable[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Tests that take turns, by the name of their group."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        mark = item.get_closest_marker("in_turn")
        if mark is not None:
            groups.setdefault(str(mark.args[0]), []).append(item)
    return groups


def one_of_the_day(group: Sequence[Found], today: date | None = None) -> Found:
    """The one whose turn it is: each day another, until all of them had theirs."""
    return group[(today or date.today()).toordinal() % len(group)]


def is_turn_of(test: str, shares: int, today: date | None = None) -> bool:
    """Whether `test` is in the share of the day; within `shares` days every test has its turn."""
    day = (today or date.today()).toordinal()
    # Names that differ in a digit are to be far apart, which checksums such as CRC-32 do not promise.
    return int.from_bytes(hashlib.sha256(test.encode()).digest()[:8]) % shares == day % shares
