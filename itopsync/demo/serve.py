"""Keeps a temporary pair of simulated servers running, to try every command on from another terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import typer

from itopsync.demo.desk import SAME, Versions, configure
from itopsync.simulator import ACCOUNTS, Simulator

_CURL = """\
curl --silent --data auth_user=agent --data auth_pwd=agent-password '{url}/webservices/rest.php?version=1.3' \\
  --data-urlencode 'json_data={{"operation": "core/{verb}", "class": "UserRequest", "comment": "by hand", \
"output_fields": "ref", {what}}}'"""
PICTURE = files("itopsync.demo") / "display.png"
"""A picture of the printer's display."""
_OPEN = '"fields": {"org_id": 3, "caller_id": 5, "title": "New phone", "description": "Please."}'
_NOTE = '"key": {"title": "Printer broken"}, "fields": {"private_log": "We are on our way."}'


@dataclass(frozen=True)
class Pair:
    """Two running servers, and a configuration for them."""

    external: Simulator
    internal: Simulator
    configuration: Path


@contextmanager
def open_pair(versions: Versions = SAME) -> Iterator[Pair]:
    """Two servers on loopback HTTP with some tickets, running on this host's clock; everything ends with the context."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="itopsync-demo-")))
        external = Simulator(timezone="Asia/Jakarta", version=versions[0])
        internal = Simulator(timezone="Europe/Paris", version=versions[1])
        addresses = stack.enter_context(external.serve()), stack.enter_context(internal.serve())
        _fill(external, internal)
        yield Pair(external, internal, configure(folder, datetime.now(UTC), *addresses))


def _fill(external: Simulator, internal: Simulator) -> None:
    """Write what people wrote before itopsync started: three tickets in external, and one of internal's own."""
    for server, first, last in ((external, "Clara", "Customer"), (internal, "Oscar", "Operator")):
        person = server.agent("agent")
        person.update("Person", person.account.contact_id, first_name=first, name=last)
    customer = external.agent("agent")
    printer = customer.create("UserRequest", title="Printer broken", description="<p>It <b>blinks</b>.</p>")
    customer.attach("UserRequest", printer, "printer.log", "text/plain", b"jam in tray 2\n")
    picture = customer.paste_image("UserRequest", printer, "display.png", "image/png", PICTURE.read_bytes())
    customer.note("UserRequest", printer, f"<p>It shows this:</p>{picture}")
    laptop = customer.create("UserRequest", title="New laptop", description="<p>Please.</p>")
    customer.stimulus("UserRequest", laptop, "ev_wait_for_approval")
    customer.create("Incident", title="Mail is down", description="<p>Since nine.</p>")
    internal.agent("agent").create("UserRequest", title="Rotate the keys of the backup vault", description="<p>Quarterly.</p>")


Playing = Callable[[Pair], AbstractContextManager[str]]
"""Serves the page to play on inside a context, and yields its address."""
_WITHOUT = "not served: it needs the extra web (pip install '.[demo,web]')"


def serve(versions: Versions = SAME, playing: Playing | None = None) -> None:
    """Keep a pair of servers running until SIGINT, SIGTERM or SIGHUP, and print how to use it."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with open_pair(versions) as pair, playing(pair) if playing else nullcontext(_WITHOUT) as page:
            typer.echo(_usage(pair, page))
            stop.wait()
        typer.echo("Both servers, their tickets and the store are gone.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _usage(pair: Pair, page: str) -> str:
    shown = [account for account in ACCOUNTS if account.login in ("sync", "agent", "admin")]
    accounts = ", ".join(f"{account.login} ({account.password})" for account in shown)
    return f"""\
page      {page}
external  {pair.external.url}  iTop {pair.external.version}, {len(pair.external.tickets())} tickets
internal  {pair.internal.url}  iTop {pair.internal.version}, {len(pair.internal.tickets())} ticket of its own
accounts  {accounts}, on both

In another terminal, while the bridge on the page is not running:

  export ITOPSYNC_CONFIG={pair.configuration}

  itopsync check
  itopsync plan
  itopsync run-once
  itopsync status
  itopsync verify

To act as the people at the desks, use iTop's REST API:

  # a customer opens a request in external
  {_CURL.format(url=pair.external.url, verb="create", what=_OPEN)}

  # an operator writes into the printer's copy in internal, once there is one
  {_CURL.format(url=pair.internal.url, verb="update", what=_NOTE)}

Ctrl-C stops both servers and removes everything.
"""
