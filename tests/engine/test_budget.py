"""A budget of bytes is shared, and never exceeded."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from itopsync.engine.writing import FileBudget


def test_what_is_held_never_exceeds_the_budget() -> None:
    budget, lock = FileBudget(100), threading.Lock()
    held = most = 0
    chance = random.Random(1)
    sizes = [chance.randrange(1, 60) for _ in range(300)]

    def take(size: int) -> None:
        nonlocal held, most
        with budget.share(60) as shrink:
            with lock:
                held += 60
                most = max(most, held)
            with lock:
                held -= 60 - size
                shrink(size)
            with lock:
                held -= size

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(take, sizes))
    assert 60 <= most <= 100
    with budget.share(100):  # all of it is there again
        assert budget._free == 0
    assert budget._free == 100


def test_what_is_larger_than_the_budget_goes_alone() -> None:
    budget = FileBudget(100)
    with budget.share(500):
        assert budget._free == 0
    with budget.share(1):
        pass


def test_who_came_first_is_served_first() -> None:
    budget = FileBudget(100)
    order: list[str] = []
    waiting = threading.Event()

    def take(name: str, size: int) -> None:
        waiting.set()
        with budget.share(size):
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with budget.share(60):
            large = pool.submit(take, "large", 80)
            waiting.wait(5)
            while not budget._queue:
                pass
            small = pool.submit(take, "small", 10)
            while len(budget._queue) < 2:
                pass
        large.result(5)
        small.result(5)
    assert order == ["large", "small"]
