"""The work queue."""

from __future__ import annotations

import asyncio

import pytest
from modelyard_operator.reconcile.workqueue import WorkQueue


@pytest.fixture
def queue() -> WorkQueue[str]:
    """Numbers hurry; of others four are worked on at once."""
    queue: WorkQueue[str] = WorkQueue(str.isdigit, 4, first_delay=0.02, longest_delay=0.05)
    queue.open()
    return queue


async def nothing_comes(queue: WorkQueue[str]) -> bool:
    try:
        await asyncio.wait_for(queue.get(), 0.01)
    except TimeoutError:
        return True
    return False


async def test_a_key_is_handed_out_once_however_often_it_is_added(queue: WorkQueue[str]) -> None:
    for _ in range(3):
        queue.add("a")
    assert (len(queue), await queue.get()) == (1, "a")
    queue.done("a")
    assert await nothing_comes(queue)


async def test_keys_come_in_the_order_in_which_they_were_added(queue: WorkQueue[str]) -> None:
    for key in "abc":
        queue.add(key)
    assert [await queue.get() for _ in "abc"] == ["a", "b", "c"]


async def test_a_key_at_work_is_never_handed_to_a_second_worker(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert await nothing_comes(queue)
    queue.done("a")
    assert await queue.get() == "a"


async def test_of_several_delays_the_shortest_counts(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0.01)
    queue.add_after("a", 10)
    assert await asyncio.wait_for(queue.get(), 1) == "a"
    queue.done("a")
    queue.add_after("b", 10)
    queue.add_after("b", 0.01)
    assert await asyncio.wait_for(queue.get(), 1) == "b"


async def test_adding_now_makes_the_delay_void(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0.01)
    queue.add("a")
    await queue.get()
    queue.done("a")
    await asyncio.sleep(0.02)
    assert await nothing_comes(queue)


async def test_retries_wait_longer_each_time_up_to_a_limit(queue: WorkQueue[str]) -> None:
    assert [queue.retry("a") for _ in range(4)] == [0.02, 0.04, 0.05, 0.05]
    queue.forget("a")
    assert queue.retry("a") == 0.02
    assert queue.retry("b", at_least=3) == 3


async def test_closing_leaves_nothing_behind(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add_after("b", 0.005)
    queue.close()
    await asyncio.sleep(0.01)
    assert await nothing_comes(queue)


async def test_a_closed_queue_takes_nothing_in(queue: WorkQueue[str]) -> None:
    queue.close()
    queue.add("a")
    queue.add_after("b", 0.005)
    queue.retry("c")
    await asyncio.sleep(0.06)
    queue.open()
    assert await nothing_comes(queue)


async def test_those_who_hurry_go_first_but_not_for_ever(queue: WorkQueue[str]) -> None:
    for key in ("a", "b"):
        queue.add(key)
    hurried = [str(number) for number in range(31)]
    for key in hurried:
        queue.add(key)
    assert [await queue.get() for _ in range(33)] == [*hurried[:29], "a", *hurried[29:], "b"]


async def test_others_leave_workers_for_those_who_come_to_hurry(queue: WorkQueue[str]) -> None:
    for key in "abcde":
        queue.add(key)
    assert [await queue.get() for _ in range(4)] == ["a", "b", "c", "d"]
    assert await nothing_comes(queue)
    for key in ("1", "2"):
        queue.add(key)
    assert [await queue.get() for _ in range(2)] == ["1", "2"]
    worker = asyncio.create_task(queue.get())
    queue.done("1")
    assert not (await asyncio.wait({worker}, timeout=0.01))[0]
    queue.done("a")
    assert await asyncio.wait_for(worker, 1) == "e"


async def test_a_key_hurries_after_a_failure_too(queue: WorkQueue[str]) -> None:
    queue.add("1")
    assert await queue.get() == "1"
    queue.add("a")
    queue.retry("1")
    queue.done("1")
    await asyncio.sleep(0.04)
    assert [await queue.get(), await queue.get()] == ["1", "a"]


async def test_a_key_that_was_added_while_it_was_worked_on_hurries(queue: WorkQueue[str]) -> None:
    queue.add("1")
    assert await queue.get() == "1"
    for key in ("a", "1"):
        queue.add(key)
    queue.done("1")
    assert [await queue.get(), await queue.get()] == ["1", "a"]


async def test_a_key_that_has_come_to_hurry_while_it_waited_goes_first() -> None:
    hurrying: set[str] = set()
    queue: WorkQueue[str] = WorkQueue(hurrying.__contains__, 2)
    queue.open()
    for key in ("a", "b"):
        queue.add(key)
    hurrying.add("b")
    queue.add("b")
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["b", "a"]


async def test_among_many_workers_a_key_has_one_and_others_have_so_many(queue: WorkQueue[str]) -> None:
    at_work: set[str] = set()
    served: set[str] = set()
    most_others = 0

    async def worker() -> None:
        nonlocal most_others
        while True:
            key = await queue.get()
            assert key not in at_work
            at_work.add(key)
            most_others = max(most_others, sum(not each.isdigit() for each in at_work))
            await asyncio.sleep(0.001)
            at_work.discard(key)
            served.add(key)
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(16)]
    keys = [f"{'' if number % 3 else 'run-'}{number}" for number in range(60)]
    for number in range(200):
        queue.add(keys[number % 60])
        if number % 20 == 0:
            await asyncio.sleep(0.001)
    for _ in range(200):
        await asyncio.sleep(0.01)
        if not len(queue) and not at_work:
            break
    for task in workers:
        task.cancel()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert (len(queue), served, most_others) == (0, set(keys), 4)
