"""One suite for all servers: the simulator in each of its versions, and a real iTop when the environment names one.

``ITOPSYNC_CONTRACT_URL``
    The address of an iTop with iTop's sample data, below which ``/webservices`` is. Its version is asked of it.
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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from itopsync.simulator import Simulator, Version
from itopsync.simulator.schema import ChangeManagement
from itopsync.simulator.versions import VERSIONS
from tests.contract.answers import ANSWERS, Answers
from tests.simulator.caller import Caller, Json
from tests.transport import SimulatorTransport

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
    version: Version
    #: An external key of 0 is not missing there: 2.7 was made for PHP 7, and runs on PHP 8, too.
    on_php_8: bool
    #: Lets so many seconds pass there.
    wait: Callable[[float], None]

    #: Demo, and the person of that organisation who calls; a team and one of its members.
    org: int = 3
    caller: int = 2
    team: int = 37
    agent: int = 9

    @property
    def answers(self) -> Answers:
        """What differs by version."""
        return ANSWERS[self.version]

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
        servers = [*VERSIONS, "real"] if os.environ.get(f"{PREFIX}URL") else [*VERSIONS]
        metafunc.parametrize("itop", servers, indirect=True, scope="session")


#: Classes that the service account may not read: each came with a version, newest first.
CAME: tuple[tuple[Version, str], ...] = (("3.2", "ActionNewsroom"), ("3.1", "AuditDomain"), ("3.0", "TriggerOnObjectMention"))


def version_of(sync: Caller) -> Version:
    """The version of a server, told by what it says of an attribute and of classes that are no business of ours."""
    key, fields = "SELECT UserRequest WHERE id = 0", "tto_time_spent"
    if sync.ask("core/get", "UserRequest", key=key, output_fields=fields)["code"] == 0:
        return "3.3"
    for version, name in CAME:
        told = sync.ask("core/get", name, key=f"SELECT {name} WHERE id = 0", output_fields="id")["message"]
        if "is not a valid class" not in told:
            return version
    return "2.7"


def on_php_8(sync: Caller, version: Version) -> bool:
    """Whether a server runs on PHP 8, by what it tells of itself, else by its version."""
    told = sync.post({"operation": "list_operations"}).headers.get("x-powered-by", "")
    return told.startswith("PHP/8") if told.startswith("PHP/") else version >= "3.0"


@pytest.fixture(scope="session")
def itop(request: pytest.FixtureRequest) -> Iterator[Itop]:
    wait: Callable[[float], None] = time.sleep
    if request.param != "real":
        kind: ChangeManagement = "simple" if "Change" in CLASSES else "itil"
        url, zone = "http://127.0.0.1:8081", "Europe/Paris"
        simulator = Simulator(url, zone, change_management=kind, database_timezone=zone, version=request.param)
        logins = [(login, simulator.accounts[login].password) for login in ("sync", "agent")]
        client = httpx.Client(transport=SimulatorTransport(simulator))

        def move(seconds: float) -> None:
            simulator.clock_offset += timedelta(seconds=seconds)

        wait = move

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
        version = version_of(sync)
        yield Itop(sync, alice, version, on_php_8(sync, version), wait)
