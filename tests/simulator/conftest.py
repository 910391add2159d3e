import random

import pytest

from itopsync.simulator import Agent, Simulator
from tests.simulator.caller import Caller, calling
from tests.simulator.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Simulator:
    return Simulator("http://127.0.0.1:8081", "Europe/Paris", clock, chance=random.Random(7))


@pytest.fixture
def sync(simulator: Simulator) -> Caller:
    """The service account, over REST."""
    return calling(simulator)


@pytest.fixture
def alice(simulator: Simulator) -> Agent:
    """A person at the web interface."""
    return simulator.agent()


@pytest.fixture
def ticket(alice: Agent) -> int:
    """A request that a person opened."""
    return alice.create("UserRequest", title="Printer", description="<p>broken</p>")
