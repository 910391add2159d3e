"""A simulator of Combodo iTop, 2.7 to 3.3, as itopsync meets it: its REST services, its habits and its faults.

Begin with :class:`Simulator` (``simulator.py``). Below it: ``instance.py`` holds the data and the settings, ``front.py``
takes requests in, ``rest.py`` holds the verbs, ``writing.py`` what a write
does, ``values.py`` and ``reading.py`` the way into and out of the ``store.py``, ``oql_*.py`` the query language,
``html.py`` and ``caselog.py`` the texts, ``version*.py`` what differs by version, ``rights.py`` the accounts,
``faults.py`` what can go wrong, ``losing.py`` what can happen to markers, ``agents.py`` what people do, ``web.py`` the
HTTP server. ``docs/reference/simulator.md`` says what is simulated and what is not.
"""

from itopsync.simulator.agents import Agent, Form
from itopsync.simulator.audit import Audit, Written
from itopsync.simulator.caselog import CaseLog, Entry
from itopsync.simulator.faults import Fault, FaultKind, FaultPlan
from itopsync.simulator.load import Latency, Requests
from itopsync.simulator.losing import LosesMarks
from itopsync.simulator.messages import SimRequest, SimResponse
from itopsync.simulator.refusals import BareRefusal, Refusal
from itopsync.simulator.rights import AccessMode, Account
from itopsync.simulator.sample import ACCOUNTS
from itopsync.simulator.simulator import Simulator, Snapshot
from itopsync.simulator.store import Document
from itopsync.simulator.versions import Version

__all__ = [
    "ACCOUNTS",
    "AccessMode",
    "Account",
    "Agent",
    "Audit",
    "BareRefusal",
    "CaseLog",
    "Document",
    "Entry",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Form",
    "Latency",
    "LosesMarks",
    "Refusal",
    "Requests",
    "SimRequest",
    "SimResponse",
    "Simulator",
    "Snapshot",
    "Version",
    "Written",
]
