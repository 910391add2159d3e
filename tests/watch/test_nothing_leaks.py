"""Secrets and words of tickets are planted wherever they can be, all that can fail fails, and all that is told is searched.

What is searched: the log at its most talkative, in both forms; metrics over HTTP and as a file; what hooks are sent, on each way;
what the status tells; and the store, byte by byte.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import pytest
import structlog
from prometheus_client import generate_latest

from itopsync import logs
from itopsync.cli import app, show, show_status
from itopsync.engine.report import Report
from itopsync.errors import ItopsyncError
from itopsync.model import Side
from itopsync.reconcile.rules import Limits
from itopsync.simulator import AccessMode, FaultKind, Simulator
from itopsync.status import status
from itopsync.store.records import CycleKind
from itopsync.watch.watch import Watch
from tests.engine.rig import PICTURE, TEAM, Rig
from tests.events import ALWAYS, CONTEXT, EVENTS
from tests.transport import SimulatorTransport
from tests.watch.receiver import Receiver

WORDS = [
    f"zq{name}qz"
    for name in (
        "title",
        "description",
        "entry",
        "answer",
        "kept",
        "file",
        "contents",
        "picture",
        "solution",
        "comment",
        "reason",
        "library",
        "thread",
        "mishap",
    )
]
TITLE, DESCRIPTION, ENTRY, ANSWER, KEPT, FILE, CONTENTS, SHOT, SOLUTION, COMMENT, REASON, LIBRARY, THREAD, MISHAP = WORDS
SECRETS = ["sync-password", "zqbearerqz", "zqpathqz", "zqalertqz"]
REQUEST = "UserRequest"
WRITES = ("core/create", "core/update", "core/apply_stimulus")
RESOLVED = {"solution": f"<p>{SOLUTION}</p>", "resolution_code": "assistance", "service_id": 1}


class Quoting(httpx.BaseTransport):
    """A server that, while it is told to, refuses what is asked and quotes the ticket in each way that it knows."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.ways: Iterator[Way] | None = None
        self.verbs: tuple[str, ...] = ()
        self.asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        part = request.read().decode("latin-1").partition('name="json_data"\r\n\r\n')[2]
        asked = json.loads(part.partition("\r\n--")[0] or "{}")  # none where a picture is fetched
        if self.ways is None or asked.get("operation") not in self.verbs:
            return self._inner.handle_request(request)
        self.asked += 1
        status, text = next(self.ways)(json.dumps(asked.get("fields", {})))
        headers = {"Date": "Tue, 24 Nov 2026 03:13:00 GMT"}
        if status != httpx.codes.OK:
            return httpx.Response(status, text=text, headers=headers)
        return httpx.Response(status, json={"code": 100, "message": text, "objects": None}, headers=headers)


Way = Callable[[str], tuple[int, str]]
"""What was sent → status and text of the answer."""
QUOTES: list[Way] = [
    lambda _: (200, f"Error: title: '{TITLE}' is no title, says {DESCRIPTION!r}"),
    lambda sent: (200, f"Error: A rule of the house forbids {' '.join(re.findall(r'[a-z]{3,}', sent))}"),
    lambda sent: (
        200,
        f"Error: Failed to issue SQL query: query = UPDATE ticket SET x={sent}, mysql_errno = 1366, mysql_error = {ENTRY}",
    ),
    lambda sent: (200, f"Error: Object not following integrity rules: issues = {{{sent}}}"),
    lambda sent: (200, f"{TITLE!r}: {sent}" * 2_000),
    lambda sent: (500, f"<html>Fatal error: {sent} {SECRETS[0]}</html>"),
    lambda sent: (503, json.dumps({"message": f"{ANSWER} {sent}"})),
    lambda sent: (403, f"{ENTRY} {sent}"),
    lambda _: (200, f"Error: login of sync with {SECRETS[0]} is over quota"),
    lambda sent: (200, f"Error: a rule forbids {' '.join(re.findall(r'[a-z]{3,}', sent)).upper()}"),
    lambda sent: (200, f"Error: a rule forbids {quote(sent)}"),
    lambda sent: (200, "Error: a rule forbids " + "\u00ad".join(re.findall(r"[a-z]", sent))),
]
ALL = " ".join((*WORDS, SECRETS[0]))
QUOTES_OF_READS: list[Way] = [
    lambda _: (200, f"Error: audit: {ALL}"),
    lambda _: (200, f"Error: Query failed to execute: query = {ALL}, exception_class = {ALL}, exception_message = {ALL}"),
    lambda _: (200, f"Error: Failed to issue SQL query: query = {ALL}, mysql_errno = 1366, mysql_error = {ALL}"),
    lambda _: (500, f"<html>Fatal error: {ALL}</html>"),
    lambda _: (503, json.dumps({"message": ALL})),
]


@dataclass
class Service(Rig):
    """The rig with all that watches it, and all that it tells."""

    receiver: Receiver = field(default_factory=Receiver)
    stream: io.StringIO = field(default_factory=io.StringIO)
    told: list[str] = field(default_factory=list)
    """What else was shown: errors, reports, statuses."""
    watch: Watch = field(init=False)
    quoting: list[Quoting] = field(default_factory=list)

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        self.quoting.append(Quoting(SimulatorTransport(simulator)))
        return self.quoting[-1]

    def start(self) -> None:
        super().start()
        loaded = self.configuration
        self.watch = Watch("demo", loaded.metrics, loaded.hooks, self.store, lambda: self.now, patience=10)
        self.watch.__enter__()
        for side in Side:
            self.server(side)._caller._on_call = self.watch.called

    def stop(self) -> None:
        self.watch.__exit__(None, None, None)
        super().stop()

    def run(self, kind: CycleKind = CycleKind.POLL) -> None:
        """One cycle, told as `run-once` tells it, however it ends."""
        self.wait(minutes=10)
        ended: Report | ItopsyncError
        try:
            ended = self.engine.cycle(kind)
        except ItopsyncError as error:
            ended = error
            self.told.append(f"{error} {error!r}")
        except ValueError as error:
            app._tell_internal_error(error)
            return
        else:
            self.told += [show.report_as_json(ended), repr(ended)]
        self.watch.cycle_ended(kind, ended)
        for hook in self.watch._hooks:
            hook._errand.wait(20)
        self.told.append(show_status.status_as_json(status(self.store, "demo", self.now)))


HOOK = """#!/bin/sh
cat >> "$0.told"
env >> "$0.told"
"""
MORE = """
[hooks]
command = ["{folder}/hook"]
every = "1s"
side_down = "1s"

[hooks.webhook]
url = "{url}/zqpathqz"
password_file = "bearer"

[hooks.alerts.chat]
password_file = "alert"

[hooks.alerts.nowhere]
password_file = "nowhere"

[hooks.dead_man]
url = "{url}/{{password}}"
password_file = "path"

[metrics]
textfile = "metrics.prom"
"""


class SoonParked(Limits):
    """What fails twice is parked."""

    tries: ClassVar[int] = 2


@pytest.fixture
def service(tmp_path: Path, receiver: Receiver, json_lines: bool) -> Iterator[Service]:
    alert = receiver.url.replace("http:", "json:") + "/zqalertqz"
    secrets = {"bearer": "zqbearerqz", "path": "zqpathqz", "alert": alert, "nowhere": "json://127.0.0.1:9/zqalertqz"}
    for name, text in {**secrets, "hook": HOOK}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700 if name == "hook" else 0o600)
    stream = io.StringIO()
    logs.configure("debug", stream=stream, json_lines=json_lines)
    more = MORE.format(folder=tmp_path, url=receiver.url)
    made = Service(tmp_path, more, SoonParked(file_size=20_000), receiver=receiver, stream=stream)
    try:
        yield made
    finally:
        structlog.reset_defaults()


def people_do_everything(service: Service) -> None:
    """Every kind of thing that is carried, on a ticket of its own and on what stands already."""
    customer, operator = service.customer, service.operator
    number = customer.create(
        REQUEST, title=TITLE, description=f"<p>{DESCRIPTION}</p>", private_log=f"<p>{ENTRY}</p>", service_id=1
    )
    picture = customer.paste_image(REQUEST, number, f"{SHOT}.png", "image/png", PICTURE)
    customer.update(REQUEST, number, private_log=f"<p>{ENTRY} {picture}</p>")
    customer.attach(REQUEST, number, f"{FILE}.txt", "text/plain", CONTENTS.encode())
    customer.attach(REQUEST, number, f"{FILE}.bin", "application/octet-stream", CONTENTS.encode() + bytes(20_000))
    linked = [link for link in service.store.links.get(range(1, 200)) if link.internal is not None and link.status == "linked"]
    for link in linked[-1:]:
        assert link.internal is not None
        with suppress(Exception):  # whatever its state allows
            customer.update(REQUEST, link.external.id, title=f"{TITLE} again")
            customer.note(REQUEST, link.external.id, f"<p>{ENTRY}</p>")
            operator.note(REQUEST, link.internal.id, f"<p>{ANSWER}</p>")
            operator.note(REQUEST, link.internal.id, f"<p>#internal {KEPT}</p>")
            operator.attach(REQUEST, link.internal.id, f"{FILE}.doc", "application/msword", CONTENTS.encode())
            operator.stimulus(REQUEST, link.internal.id, "ev_assign", **TEAM)
            operator.stimulus(REQUEST, link.internal.id, "ev_pending", pending_reason=REASON)
            operator.stimulus(REQUEST, link.internal.id, "ev_assign", **TEAM)
            operator.stimulus(REQUEST, link.internal.id, "ev_resolve", **RESOLVED)
            customer.stimulus(REQUEST, link.external.id, "ev_close", user_comment=COMMENT)


def everything_fails(service: Service) -> None:
    """Each fault on each side, then servers that take nothing, then faults of our own and of libraries."""
    service.run()
    for kind in FaultKind:
        people_do_everything(service)
        for simulator, verbs in ((service.external, ()), (service.internal, WRITES)):
            simulator.faults.add(kind, times=4, verbs=verbs, accounts=["sync"], seconds=1, requests=2)
        service.run()
        service.external.faults.clear()
        service.run()
        service.internal.faults.clear()
        service.run()
    for way in (*QUOTES, *QUOTES_OF_READS):
        people_do_everything(service)
        for server in service.quoting:
            server.ways, server.verbs = itertools.repeat(way), WRITES if way in QUOTES else ("core/get",)
        asked = sum(server.asked for server in service.quoting)
        service.run()
        service.run()
        assert sum(server.asked for server in service.quoting) > asked
        for server in service.quoting:
            server.ways = None
        service.run()
    for attribute, bad, good in (("maintenance", True, False), ("access_mode", AccessMode.READ_ONLY, AccessMode.FULL)):
        people_do_everything(service)
        for value in (bad, good):
            setattr(service.internal, attribute, value)
            service.run()
            service.run()
    copy = next(link.internal.id for link in service.store.links.get(range(1, 200)) if link.internal)
    service.operator.fill_log(REQUEST, copy)
    service.run(CycleKind.SWEEP)

    for place in ("before:core/update", "before:core/get"):

        def mishap(where: str, place: str = place) -> None:
            if where == place:
                raise ValueError(MISHAP)

        people_do_everything(service)
        service.probe = mishap
        service.run()
        service.probe = None
    logging.getLogger("apscheduler").error("Job failed", exc_info=KeyError(LIBRARY))
    app._tell_internal_error(RuntimeError(THREAD))
    service.restart()
    service.run()


def all_that_was_told(service: Service) -> dict[str, str]:
    """Everything that anybody could read, by where."""
    folder = service.folder
    return {
        "log": service.stream.getvalue(),
        "shown": "".join(service.told),
        "metrics": generate_latest(service.watch._metrics.registry).decode(),
        "textfile": (folder / "metrics.prom").read_text(),
        "webhook": "".join(body.decode() for method, _, _, body in service.receiver.asked if method == "POST"),
        "command": (folder / "hook.told").read_text(),
        "store": "".join(path.read_bytes().decode("latin-1") for path in folder.glob("store.sqlite*")),
        "settings": repr(service.configuration),
    }


@pytest.mark.parametrize("json_lines", [True, pytest.param(False, marks=pytest.mark.torture)], ids=["json", "text"])
def test_neither_a_secret_nor_a_word_of_a_ticket_is_told_anywhere(service: Service, json_lines: bool) -> None:
    everything_fails(service)
    service.stop()
    told = all_that_was_told(service)
    plain = {where: unicodedata.normalize("NFKC", text).casefold().replace("\u00ad", "") for where, text in told.items()}
    for word in (*WORDS, *SECRETS):
        assert [where for where, text in plain.items() if word in text] == []
    assert all(len(text) > 200 for text in told.values()), "nothing was told that could have told"
    if json_lines:
        check_events([json.loads(line) for line in told["log"].splitlines()])
    posted = [(path, json.loads(body)) for method, path, _, body in service.receiver.asked if method == "POST"]
    assert {body["event"] for path, body in posted if path == "/zqpathqz"} >= {"parked", "side_down"}
    assert {body["title"] for path, body in posted if path == "/zqalertqz"} >= {
        "itopsync demo: parked",
        "itopsync demo: side down",
    }


def check_events(lines: list[dict[str, Any]]) -> None:
    """Everything of note has happened, and each line is as the list of events has it."""
    for line in lines:
        event = EVENTS[line["event"]]
        assert line["level"] in event.levels
        assert line.keys() <= {*ALWAYS, *CONTEXT, *event.fields}, line
    assert {line["event"] for line in lines} >= {
        "cycle",
        "write",
        "parked",
        "side unavailable",
        "side down for long",
        "side available again",
        "internal error",
        "ticket failed",
        "library",
        "person called",
    }
    writes = [line for line in lines if line["event"] == "write"]
    assert {line["action"] for line in writes} >= {"create", "write", "state", "upload"}
    assert {line["outcome"] for line in writes} >= {"done", "refused", "unknown", "side unavailable"}
    assert all({"cycle", "link", "ticket", "seconds"} <= line.keys() for line in writes), "each bears its cycle and its link"
    assert all("cycle" in line for line in lines if line["event"] in ("cycle", "parked", "side unavailable"))
    assert {line["outcome"] for line in lines if line["event"] == "cycle"} >= {"well", "troubled", "unavailable", "stopped"}
