"""A simulator of Combodo iTop 2.7 to 3.3 as itopsync sees it: its REST services, its peculiarities and its faults.

Start with :class:`Simulator` (``simulator.py``). Below it, ``instance.py`` holds the data and settings, ``front.py`` accepts
requests, ``rest.py`` implements the verbs, ``writing.py`` the writes, ``values.py`` and ``reading.py`` convert values to and from
``store.py``, ``oql_*.py`` implement the query language, ``html.py`` and ``caselog.py`` the texts, ``version*.py`` the differences
between versions, ``rights.py`` the accounts, ``faults.py`` planned faults, ``losing.py`` the loss of markers, ``agents.py`` what
people do, ``web.py`` the HTTP server. ``docs/reference/simulator.md`` says what is simulated and what is not.
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
