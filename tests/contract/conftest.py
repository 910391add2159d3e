"""One suite, two servers: the simulator always, and a real iTop when the environment names one.

``ITOPSYNC_CONTRACT_URL``
    The address of an iTop 3.2 with iTop's sample data, below which ``/webservices`` is.
``ITOPSYNC_CONTRACT_USER``, ``ITOPSYNC_CONTRACT_PASSWORD``
    The service account, with the profiles that itopsync needs and no others.
``ITOPSYNC_CONTRACT_AGENT_USER``, ``ITOPSYNC_CONTRACT_AGENT_PASSWORD``
    A person with the profiles Administrator and REST Services User.
``ITOPSYNC_CONTRACT_CLASSES``
    The classes of tickets that the server has, with commas between; by default those of the ITIL modules. Without
    incidents the tests of OQL are left out.

The tests leave their tickets behind.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from itopsync.simulator import Simulator
from itopsync.simulator.schema import ChangeManagement
from tests.simulator.caller import Caller, Json

PREFIX = "ITOPSYNC_CONTRACT_"
ITIL = "UserRequest,Incident,Problem,NormalChange,RoutineChange,EmergencyChange"
CLASSES = os.environ.get(f"{PREFIX}CLASSES", ITIL).split(",")
collect_ignore = [] if "Incident" in CLASSES else ["test_oql.py"]
ACCOUNTS = ("USER", "PASSWORD", "AGENT_USER", "AGENT_PASSWORD")


@dataclass(frozen=True)
class Itop:
    """A server under contract, with iTop's sample data; ``sync`` is the service account, ``alice`` a person."""

    sync: Caller
    alice: Caller

    #: Demo, and the person of that organisation who calls; a team and one of its members.
    org: int = 3
    caller: int = 2
    team: int = 37
    agent: int = 9

    def new(self, **fields: object) -> Json:
        """The fields of a new ticket."""
        return {"org_id": self.org, "caller_id": self.caller, "title": "contract", "description": "<p>d</p>", **fields}

    def ticket(self, class_name: str = "UserRequest", **fields: object) -> int:
        """A new ticket of the service account's."""
        if class_name == "UserRequest":
            fields = {"request_type": "service_request", **fields}  # the simple module demands it for being assigned
        return int(self.sync.create(class_name, self.new(**fields))["id"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "itop" in metafunc.fixturenames:
        servers = ["simulator", "real"] if os.environ.get(f"{PREFIX}URL") else ["simulator"]
        metafunc.parametrize("itop", servers, indirect=True, scope="session")


@pytest.fixture(scope="session")
def itop(request: pytest.FixtureRequest) -> Iterator[Itop]:
    if request.param == "simulator":
        kind: ChangeManagement = "simple" if "Change" in CLASSES else "itil"
        simulator = Simulator("http://127.0.0.1:8081", "Europe/Paris", change_management=kind, database_timezone="Europe/Paris")
        logins = [(login, simulator.accounts[login].password) for login in ("sync", "agent")]
        client = httpx.Client(transport=simulator.transport())
        url = simulator.url
    else:
        missing = [f"{PREFIX}{name}" for name in ACCOUNTS if f"{PREFIX}{name}" not in os.environ]
        if missing:
            pytest.fail(f"{PREFIX}URL is given, but not {', '.join(missing)}")
        user, password, agent_user, agent_password = (os.environ[f"{PREFIX}{name}"] for name in ACCOUNTS)
        logins = [(user, password), (agent_user, agent_password)]
        client = httpx.Client(timeout=60)
        url = os.environ[f"{PREFIX}URL"].rstrip("/")
    with client:
        sync, alice = (Caller(client, url, login, password) for login, password in logins)
        yield Itop(sync, alice)
