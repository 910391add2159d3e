"""A bridge of the old kind between two simulated servers: it copies entries as plain text, and files, without any mark."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from random import Random

from itopsync.model import Side
from itopsync.simulator import Agent
from itopsync.simulator.html_text import html_to_text
from tests.engine.rig import Rig

ACCOUNT = "1"
"""By which it writes on both sides."""
OLD = "2026-10-20 00:00:00"
"""Before ``scope.since``: no copy is made of such a ticket."""
SAYINGS = (
    "<p>Thanks</p>",
    "<p>Thanks!</p>",
    "<p>Any news?</p>",
    "<p>It <b>still</b> blinks &amp; beeps,<br>since 8 o'clock</p>",
    "<ul><li>switched it off</li><li>and on again</li></ul>",
    '<p>See <a href="https://example.org/manual">the manual</a></p>',
    "<p>👍</p>",
)
"""What people say again and again."""
FILES = (("screen.png", b"\x89PNG one"), ("screen.png", b"\x89PNG two"), ("log.txt", b"error 17"), ("empty.txt", b""))


@dataclass
class Tickets:
    """An external ticket, its internal one, and how far the bridge has copied."""

    ids: dict[Side, int]
    entries: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    """How many of a side's entries it has looked at."""
    files: dict[Side, set[int]] = field(default_factory=lambda: {side: set() for side in Side})
    """The ids that it has copied, or made."""
    made: dict[Side, set[int]] = field(default_factory=lambda: {side: set() for side in Side})


class OldBridge:
    """Kept two servers in step, every five minutes or, after a failure, much later, until somebody switched it off."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._accounts = {side: rig.simulator(side).agent("admin") for side in Side}
        self.tickets: list[Tickets] = []

    def open(self, title: str) -> None:
        """A customer opens a ticket, and the bridge copies it."""
        external = self._rig.customer.create("UserRequest", title=title, start_date=OLD)
        internal = self._accounts[Side.INTERNAL].create(
            "UserRequest", title=title, start_date=OLD, private_log="<p>Opened by the bridge</p>"
        )
        self.tickets.append(Tickets({Side.EXTERNAL: external, Side.INTERNAL: internal}))

    def run(self) -> None:
        """Copy what is new on both sides."""
        for tickets in self.tickets:
            for side in Side:
                self._copy_entries(tickets, side)
                self._copy_files(tickets, side)

    def _copy_entries(self, tickets: Tickets, side: Side) -> None:
        log = self._rig.simulator(side).ticket("UserRequest", tickets.ids[side])["private_log"]
        for entry in list(log)[tickets.entries[side] :]:
            tickets.entries[side] += 1
            if str(entry.user_id) == ACCOUNT or "#internal" in entry.text:
                continue
            text = html.escape(html_to_text(entry.text), quote=False).replace("\n", "<br>")
            self._accounts[side.other].note("UserRequest", tickets.ids[side.other], f"<p>{text}</p>")

    def _copy_files(self, tickets: Tickets, side: Side) -> None:
        for file in self._rig.simulator(side).ticket("UserRequest", tickets.ids[side])["attachments"]:
            if file["id"] in tickets.files[side]:
                continue
            contents = file["contents"]
            copy = self._accounts[side.other].attach(
                "UserRequest", tickets.ids[side.other], contents.filename, contents.mimetype, contents.data
            )
            tickets.files[side].add(file["id"])
            tickets.files[side.other].add(copy)
            tickets.made[side.other].add(copy)


def fill(rig: Rig, seed: int, *, tickets: int, days: int, unseen: int) -> OldBridge:
    """Let people work for so many days with the bridge between them, and then write *unseen* things more after its end."""
    random, bridge = Random(seed), OldBridge(rig)
    for number in range(tickets):
        bridge.open(f"Matter {number}")
        rig.wait(minutes=1)
    for _ in range(days):
        for _ in range(random.randrange(tickets)):
            act(rig, random, random.choice(bridge.tickets))
            rig.wait(minutes=random.choice((0, 1, 4, 30)))
            if random.random() < 0.7:
                rig.wait(minutes=random.randrange(1, 6))
                bridge.run()
        rig.wait(hours=random.randrange(1, 20))
        bridge.run()
    for _ in range(unseen):
        act(rig, random, random.choice(bridge.tickets))
        rig.wait(minutes=random.choice((0, 1, 30)))
    return bridge


def act(rig: Rig, random: Random, tickets: Tickets) -> None:
    """A person does something on one side."""
    side = random.choice(list(Side))
    agent: Agent = rig.agent(side)
    number, chance = tickets.ids[side], random.random()
    if chance < 0.4:
        agent.note("UserRequest", number, random.choice(SAYINGS))
    elif chance < 0.65:
        agent.note("UserRequest", number, f"<p>This is said only once: {random.getrandbits(40)}</p>")
    elif chance < 0.75:
        text = f"#internal He pays late {random.getrandbits(40)}" if side is Side.INTERNAL else "Are you there?"
        agent.note("UserRequest", number, f"<p>{text}</p>")
    elif chance < 0.9:
        name, data = random.choice(FILES)
        agent.attach("UserRequest", number, name, "application/octet-stream", data)
    else:
        agent.update("UserRequest", number, title=f"Edited {random.getrandbits(20)}")
