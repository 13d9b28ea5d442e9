"""Admission: how many calls may be in flight, and when."""

import asyncio

import pytest

from src.generation import throttle
from src.generation.throttle import FIRST_CALLS, OutOfPatience, Throttle


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(throttle, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(throttle, "SPREAD_SECONDS", 0.02)


def run(most, work, patience=60.0):
    async def main():
        return await work(Throttle(most, patience))

    return asyncio.run(main())


async def wait_a_moment():
    await asyncio.sleep(0.01)


def test_few_calls_go_out_before_the_first_answer_and_all_after_it():
    async def work(gate):
        entered = []

        async def call(i):
            entered.append(await gate.enter())

        calls = [asyncio.create_task(call(i)) for i in range(20)]
        await wait_a_moment()
        assert len(entered) == FIRST_CALLS
        gate.answered()
        gate.leave()
        await wait_a_moment()
        assert len(entered) == 10 + 1
        for _ in range(10):
            gate.leave()
        await asyncio.gather(*calls)

    run(10, work)


def test_before_the_first_answer_a_refused_call_is_not_replaced():
    async def work(gate):
        entered = []

        async def call():
            entered.append(await gate.enter())

        calls = [asyncio.create_task(call()) for _ in range(20)]
        for _ in range(FIRST_CALLS - 1):
            await wait_a_moment()
            gate.heard()
            gate.leave()
        await wait_a_moment()
        assert len(entered) == FIRST_CALLS
        for task in calls:
            task.cancel()

    run(10, work)


def test_the_limit_falls_once_for_all_calls_in_flight_and_rises_with_answers():
    async def work(gate):
        first = await gate.enter()
        gate.answered()
        others = [await gate.enter() for _ in range(9)]
        assert gate.limit == 100
        for number in (first, *others):
            gate.throttled(number, 0.0, "slow down")
        assert gate.limit == 70
        for _ in range(75):
            gate.answered()
        assert gate.limit == 71

    run(100, work)


def test_calls_that_waited_for_a_pause_start_one_after_the_other():
    async def work(gate):
        number = await gate.enter()
        gate.answered()
        times = []

        async def call():
            await gate.enter()
            times.append(asyncio.get_running_loop().time())

        began = asyncio.get_running_loop().time()
        gate.throttled(number, 0.05, "slow down")
        await asyncio.gather(*(call() for _ in range(8)))
        assert min(times) - began >= 0.05
        assert len({*times}) == 8, "none at the same instant"

    run(50, work)


def test_a_failure_counts_against_a_call_while_others_are_answered_and_not_when_all_fail():
    async def work(gate):
        gate.answered()
        for i in range(20):
            assert gate.failed("the same", "HTTP 500"), i
        counted = [gate.failed(f"call {i}", "HTTP 500") for i in range(10)]
        assert counted == [True] * (throttle.FAILING_CALLS - 2) + [False] * (12 - throttle.FAILING_CALLS)
        assert gate.circuit_is_open
        assert gate.limit == 1
        assert "HTTP 500" in gate.waiting_for
        gate.answered()
        assert not gate.circuit_is_open
        assert gate.waiting_for is None

    run(50, work)


def test_patience_ends_at_once_where_the_pause_is_too_long():
    async def work(gate):
        with pytest.raises(OutOfPatience) as caught:
            gate.throttled(await gate.enter(), 30.0, "come back tomorrow")
        assert (caught.value.seconds, caught.value.asked) == (30.0, True)

    run(10, work, patience=20.0)


def test_patience_ends_where_nothing_is_answered_for_too_long():
    async def work(gate):
        with pytest.raises(OutOfPatience) as caught:
            for i in range(40):
                gate.failed(f"call {i}", "HTTP 502")
        assert not caught.value.asked

    run(10, work, patience=0.5)


def test_one_failure_of_the_server_is_counted_once_for_all_calls_in_flight():
    async def work(gate):
        gate.answered()
        for number in [await gate.enter() for _ in range(28)]:
            gate.failed(f"call {number}", "HTTP 502", number)
            gate.leave()
        assert gate.circuit_is_open
        with pytest.raises(OutOfPatience):  # those that begin afterwards count
            for _ in range(20):
                number = await gate.enter()
                gate.failed(f"call {number}", "HTTP 502", number)
                gate.leave()

    run(50, work, patience=0.5)


def test_a_call_that_is_cancelled_leaves_its_place():
    async def work(gate):
        for _ in range(FIRST_CALLS):
            await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
        await wait_a_moment()
        waiting[0].cancel()
        gate.leave()
        await asyncio.wait_for(waiting[1], 1)

    run(10, work)
