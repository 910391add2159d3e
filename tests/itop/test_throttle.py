"""A server that refuses gets fewer calls at once, and more again when it is well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import httpx
import pytest

from itopsync.errors import SideUnavailable, Stopped
from itopsync.itop.server import Server
from itopsync.itop.throttle import Throttle
from tests.itop.fake import answer, error, page, settings


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_as_many_calls_as_are_configured_run_at_once(clock: Clock) -> None:
    throttle = Throttle(4, clock)
    for _ in range(100):
        throttle.went_well()
    assert throttle.limit == 4


def test_a_server_that_is_well_again_gets_one_more_call_with_each_round(clock: Clock) -> None:
    throttle = Throttle(4, clock)
    for _ in range(2):
        clock.now += 1
        throttle.failed(0.1)
    limits = []
    for _ in range(8):
        throttle.went_well()
        limits.append(throttle.limit)
    assert limits == [2, 2, 2, 3, 3, 3, 4, 4]


def test_a_server_that_refuses_gets_half_and_half_again(clock: Clock) -> None:
    throttle = Throttle(8, clock)
    limits = []
    for _ in range(4):
        clock.now += 1
        throttle.failed(0.1)
        limits.append(throttle.limit)
    assert limits == [4, 2, 1, 1]


def test_calls_that_fail_together_count_once(clock: Clock) -> None:
    throttle = Throttle(8, clock)
    for _ in range(8):
        throttle.failed(0.1)
    assert throttle.limit == 4


def test_one_call_waits_for_another(clock: Clock) -> None:
    throttle = Throttle(2, clock)
    entered = threading.Event()

    def third() -> None:
        with throttle.place():
            entered.set()

    with ThreadPoolExecutor(1) as pool, ExitStack() as held:
        for _ in range(2):
            held.enter_context(throttle.place())
        pool.submit(third)
        assert not entered.wait(0.1)
        held.close()
        assert entered.wait(5)


@pytest.fixture
def large_running() -> Iterator[Throttle]:
    """A throttle of three places, with as many large requests as may run."""
    throttle = Throttle(3)
    with throttle.place(large=True), throttle.place(large=True):
        yield throttle


def test_large_requests_leave_a_place_to_the_others(large_running: Throttle) -> None:
    with ThreadPoolExecutor(2) as pool:

        def take(*, large: bool) -> bool:
            with large_running.place(large=large):
                return True

        another = pool.submit(lambda: take(large=True))
        note = pool.submit(lambda: take(large=False))
        assert note.result(5)
        assert not another.done()
        large_running._most, large_running._limit = 9, 9.0  # there is room now
        with large_running.place():
            pass
        assert another.result(5)


def test_the_guard_is_asked_when_a_call_has_its_place_and_not_while_it_waits_for_one() -> None:
    """What was allowed before a long wait may not be allowed after it."""
    lost, entered, go_on = threading.Event(), threading.Event(), threading.Event()
    sent: list[httpx.Request] = []

    def guard(_writes: bool) -> None:
        if lost.is_set():
            raise Stopped

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        entered.set()
        go_on.wait(5)
        return answer({"code": 0, "message": "Operations: 0", "operations": []})

    with (
        closing(Server(settings(connections=1), httpx.MockTransport(handle), guard=guard)) as server,
        ThreadPoolExecutor(3) as pool,
    ):
        first = pool.submit(server.check_login)
        assert entered.wait(5)
        others = [pool.submit(server.check_login) for _ in range(2)]
        lost.set()
        go_on.set()
        first.result(5)
        for other in others:
            with pytest.raises(Stopped):
                other.result(5)
        assert len(sent) == 1
        lost.clear()
        server.check_login()  # those who were refused have given their place back


@pytest.mark.parametrize(
    ("reply", "limit"),
    [
        (error(1, "Error: The current user does not have enough permissions for reading data of class Organization"), 8),
        (error(1, "Error: Invalid login"), 8),
        (page(500), 1),
    ],
)
def test_a_missing_right_does_not_make_a_server_a_busy_one(reply: httpx.Response, limit: int) -> None:
    with closing(Server(settings(connections=8, read_tries=1), httpx.MockTransport(lambda _: reply))) as server:
        for _ in range(20):
            with pytest.raises(SideUnavailable):
                server.count("Organization", "SELECT Organization")
        assert server._caller._throttle.limit == limit
