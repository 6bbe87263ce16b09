"""The share of long tests that an everyday run takes along."""

from datetime import date, timedelta

import pytest

from tests.rotation import is_turn_of, one_of_the_day

TESTS = [f"tests/e2e/test_{number}.py::test_it" for number in range(40)]


@pytest.mark.parametrize("shares", [1, 2, 4])
def test_every_test_has_its_turn_once_in_a_round(shares: int) -> None:
    days = [date(2026, 11, 21) + timedelta(days=day) for day in range(shares)]
    for test in TESTS:
        assert sum(is_turn_of(test, shares, day) for day in days) == 1


def test_one_day_takes_some_and_leaves_some() -> None:
    taken = [test for test in TESTS if is_turn_of(test, 4, date(2026, 11, 21))]
    assert 0 < len(taken) < len(TESTS)


def test_of_those_that_take_turns_each_day_has_another_one() -> None:
    days = [date(2026, 11, 21) + timedelta(days=day) for day in range(len(TESTS))]
    assert {one_of_the_day(TESTS, day) for day in days} == set(TESTS)
