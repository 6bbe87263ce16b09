"""Names of Jobs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from modelyard_operator.domain.names import job_name, shortened

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)
UIDS = st.uuids(version=4).map(str)


@given(NAMES, UIDS, st.integers(1, 999_999))
def test_a_job_name_is_a_dns_label_that_leaves_room_for_the_pods(name: str, uid: str, attempt: int) -> None:
    made = job_name(name, uid, attempt)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", made)
    assert len(made) <= 57


@given(NAMES, UIDS)
def test_attempts_have_names_of_their_own(name: str, uid: str) -> None:
    assert len({job_name(name, uid, attempt) for attempt in range(1, 30)}) == 29


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert shortened("x" * 80 + "a", 40) != shortened("x" * 80 + "b", 40)
    assert len(shortened("x" * 80, 40)) <= 40
