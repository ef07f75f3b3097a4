"""A clock that a test moves by hand."""

from __future__ import annotations

import threading

import anyio
import pytest

from failover.testing import FakeClock


def test_it_stands_still_until_it_is_moved():
    clock = FakeClock()
    start = clock.now()
    assert start != 0
    assert clock.now() == start
    clock.advance(1.5)
    assert clock.now() == start + 1.5


def test_a_sleep_passes_at_once_and_is_written_down():
    clock = FakeClock(start=10)
    clock.sleep(3600)
    clock.sleep(0)
    assert clock.now() == 3610
    assert clock.slept == [3600, 0]


def test_advancing_is_not_a_sleep():
    clock = FakeClock()
    clock.advance(5)
    assert clock.slept == []


def test_what_it_slept_is_a_copy():
    clock = FakeClock()
    clock.slept.append(1)
    assert clock.slept == []


def test_an_async_sleep_lets_other_tasks_run_once():
    clock = FakeClock(start=1)
    order = []

    async def sleeper():
        order.append("before")
        await clock.sleep_async(7)
        order.append("after")

    async def other():
        order.append("other")

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper)
            tasks.start_soon(other)

    anyio.run(main)
    assert order == ["before", "other", "after"]
    assert (clock.now(), clock.slept) == (8, [7])


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan")])
def test_time_only_goes_forward(seconds):
    clock = FakeClock(start=5)
    with pytest.raises(ValueError, match="time only goes forward"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match="cannot sleep"):
        clock.sleep(seconds)
    with pytest.raises(ValueError, match="cannot sleep"):
        anyio.run(clock.sleep_async, seconds)
    assert (clock.now(), clock.slept) == (5, [])


def test_threads_lose_no_time():
    clock = FakeClock(start=0)

    def sleep_often():
        for _ in range(1000):
            clock.sleep(1)

    threads = [threading.Thread(target=sleep_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == 8000
    assert len(clock.slept) == 8000


def test_the_fixture_gives_a_new_clock(fake_clock):
    assert fake_clock.slept == []
    assert fake_clock.now() == FakeClock().now()
