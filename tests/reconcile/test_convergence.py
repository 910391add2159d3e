"""Whatever people do on both sides, and whatever goes wrong on the way: in the end both agree, and nothing is left to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from itopsync.model import Ref, Side
from itopsync.reconcile.rules import Limits
from tests.reconcile.judge import judge
from tests.reconcile.life import TIMERS, Life
from tests.reconcile.making import default_rules
from tests.reconcile.wire import Trouble

CLASSES = [cls.external for cls in default_rules().classes]
SIDES = st.sampled_from(list(Side))
TICKETS = st.integers(0, 9)
CHOICE = st.integers(0, 30)
DATES = ["0202-05-01T08:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01 00:00:00", "2026-11-01T08:00:00Z", "today", ""]
TEXTS = st.sampled_from(
    [
        "<p>{word}</p>",
        "{word}",
        "<p>Thanks!</p><p>{word}</p>",
        "<p>#internal {word}</p>",
        "#Internal {word}",
        '<p>{word} <a href="{own}/pages/UI.php?operation=details&amp;id=1">R-1</a> [[UserRequest:41|R-000041]]</p>',
        '<p><a name="itopsync-acme-n-9999.0123456789abcdef"></a>{word}</p>',
        '<p class="MsoNormal" style="margin:0" id="a" data-x="y">{word}<script>alert(1)</script><!-- gone --></p>',
        '<table><tbody><tr><td>{word}</td><td>a &amp; b &lt;c&gt;</td></tr></tbody></table><img src="/relative.png" alt="lost">',
        '<p>{word} <img src="https://elsewhere.example.com/x.png"></p>',
        '<p>{word} itopsync-picture:itopsync-acme-p-0123456789 <img src="itopsync-picture:there.1"></p>',
    ]
)


DISGUISES = (
    *("\u200b", "\u2060", "\ufeff", "&shy;", "&#8203;", '<figure><img src="x"></figure>', "<blockquote>You said</blockquote>"),
    *("@Carla ", '<a href="{own}/pages/UI.php?id=1">@Carla</a> ', "&gt; You said<br>"),
)
MARKS = ("#internal", "# Internal", "\uff03internal", "#in<b>ter</b>nal", "#\u200binter&shy;nal")


TELLING = (
    '<p>{word} <a href=" {OWN}/pages/UI.php?id=1" title="{OWN}">R-1</a></p><blockquote cite="{own}">x</blockquote>',
    '<p>{word} <a href="{own}">R-1</a></p>',
)


class Desks(RuleBasedStateMachine):
    """People work on both sides while itopsync runs. *troubles*: what may happen to a write."""

    troubles: tuple[Trouble, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()

    def some(self, side: Side, number: int) -> Ref:
        """One of the tickets on *side*; of external if there is none."""
        rows = self.life.servers[side].rows or self.life.servers[Side.EXTERNAL].rows
        return list(rows)[number % len(rows)]

    def copies(self) -> list[Ref]:
        """The internal tickets that we made."""
        return [ref for ref in self.life.servers[Side.INTERNAL].rows if self.life.is_copy(ref)]

    # tickets

    @initialize(cls=st.sampled_from(CLASSES))
    def first(self, cls: str) -> None:
        self.life.opens(Side.EXTERNAL, cls, log=("<p>{word}</p>",))

    @precondition(lambda self: len(self.life.courier.links) < 3)
    @rule(cls=st.sampled_from(CLASSES), entries=st.lists(TEXTS, max_size=3))
    def opens(self, cls: str, entries: list[str]) -> None:
        self.life.opens(Side.EXTERNAL, cls, log=tuple(entries))

    @rule(cls=st.sampled_from(CLASSES))
    def opens_our_own(self, cls: str) -> None:
        self.life.says(self.life.opens(Side.INTERNAL, cls))

    @rule(side=SIDES, child=TICKETS, parent=TICKETS)
    def becomes_a_child(self, side: Side, child: int, parent: int) -> None:
        below, above = self.some(side, child), self.some(side, parent)
        if below != above and self.life.row(above).parent is None:
            self.life.row(below).parent = above

    # notes and files

    @rule(side=SIDES, ticket=TICKETS, text=TEXTS)
    def says(self, side: Side, ticket: int, text: str) -> None:
        self.life.says(self.some(side, ticket), text)

    @rule(side=SIDES, ticket=TICKETS, inline=st.booleans())
    def pastes(self, side: Side, ticket: int, inline: bool) -> None:
        if inline:
            self.life.pastes(self.some(side, ticket))
        else:
            self.life.says(self.some(side, ticket), '<p>{word}<img src="data:image/png;base64,iVBORw0KGgo=" alt="x"></p>')

    @rule(side=SIDES, ticket=TICKETS)
    def quotes(self, side: Side, ticket: int) -> None:
        self.life.quotes(self.some(side, ticket))

    @rule(ticket=TICKETS, notes=st.lists(st.tuples(st.sampled_from(DISGUISES), st.sampled_from(MARKS)), min_size=1, max_size=3))
    def disguises(self, ticket: int, notes: list[tuple[str, str]]) -> None:
        copies = self.copies()
        for before, mark in notes if copies else ():
            self.life.says(copies[ticket % len(copies)], f"{before}{mark} {{word}}", kept=True)

    @rule(ticket=TICKETS, text=st.sampled_from(TELLING))
    def tells_an_address(self, ticket: int, text: str) -> None:
        if copies := self.copies():
            self.life.says(copies[ticket % len(copies)], text)

    @rule(side=SIDES, ticket=TICKETS, other=TICKETS)
    def pastes_a_copy(self, side: Side, ticket: int, other: int) -> None:
        self.life.pastes_a_copy(self.some(side, ticket), self.some(side, other))

    @rule(ticket=TICKETS)
    def changes_nothing_but_a_picture(self, ticket: int) -> None:
        ref = self.some(Side.EXTERNAL, ticket)
        self.life.edits(ref, "description", f"<p>Look</p>{self.life.servers[ref.side].paste(self.life.word().encode())}")

    @rule(side=SIDES, ticket=TICKETS)
    def attaches(self, side: Side, ticket: int) -> None:
        self.life.attaches(self.some(side, ticket))

    @precondition(lambda self: self.life.filed)
    @rule(which=CHOICE, copy=st.booleans())
    def deletes(self, which: int, copy: bool) -> None:
        filed = self.life.filed[which % len(self.life.filed)]
        if copy:
            self.life.drops_copy(filed)
        else:
            self.life.withdraws(filed)

    # form and state

    @rule(side=SIDES, ticket=TICKETS, picture=st.booleans())
    def edits(self, side: Side, ticket: int, picture: bool) -> None:
        ref = self.some(side, ticket)
        word = self.life.word()
        if ref.side is Side.INTERNAL:
            self.life.secrets.append(word)
        if picture:
            self.life.edits(ref, "description", f"<p>{word}</p>{self.life.servers[ref.side].paste(word.encode())}")
        else:
            self.life.edits(ref, "title", f"Title {word}")

    @rule(ticket=TICKETS, date=st.sampled_from(DATES))
    def corrects_a_date(self, ticket: int, date: str) -> None:
        """Whatever people enter, and whatever the edge passes on of what is no date."""
        ref = self.some(Side.EXTERNAL, ticket)
        self.life.edits(ref, "start_date", date)

    @rule(side=SIDES, ticket=TICKETS, which=CHOICE, timer=st.booleans())
    def moves(self, side: Side, ticket: int, which: int, timer: bool) -> None:
        ref = self.some(side, ticket)
        ways = [way for way in self.life.ways(ref) if (way in TIMERS) is timer]
        if ways:
            self.life.moves(ref, ways[which % len(ways)])

    @rule(side=SIDES, ticket=TICKETS, which=CHOICE)
    def corrects(self, side: Side, ticket: int, which: int) -> None:
        ref = self.some(side, ticket)
        cls = self.life.rules.for_external(ref.cls)
        companions = cls.state.companions.get(self.life.row(ref).state, ())
        if companions:
            name = companions[which % len(companions)].external
            self.life.edits(ref, name, self.life.answer(ref.cls, name))

    # the servers, and we

    @rule(side=SIDES, hours=st.integers(-2, 2))
    def changes_its_timezone(self, side: Side, hours: int) -> None:
        self.life.servers[side].drift = timedelta(hours=hours)

    @rule(side=SIDES, which=CHOICE)
    def shows_pictures_elsewhere(self, side: Side, which: int) -> None:
        server = self.life.servers[side]
        server.shown_under = server.addresses[which % len(server.addresses)]

    @rule(data=st.data())
    def sync(self, data: st.DataObject) -> None:
        if self.troubles:
            happens = st.lists(st.sampled_from([None, None, *self.troubles]), max_size=4)
            self.life.courier.wire.troubles = data.draw(happens)
        self.life.sync()

    @rule()
    def rests(self) -> None:
        self.life.settles()
        judge(self.life)
        self.life.agreed()

    def teardown(self) -> None:
        if self.life.courier.links:
            self.rests()


class TroubledDesks(Desks):
    """Writes are refused, answers are lost, the process dies, agents' saves lose entries."""

    troubles = tuple(Trouble)


class FullLogs(Limits):
    """A log is full after a few entries."""

    log_bytes: ClassVar[int] = 1_200


class FullDesks(TroubledDesks):
    """The same, and what a log does not take any more is gathered into files."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(rules=replace(default_rules(), limits=FullLogs()))

    @rule(side=SIDES, ticket=TICKETS, many=st.integers(2, 20))
    def says_much(self, side: Side, ticket: int, many: int) -> None:
        for _ in range(many):
            self.life.says(self.some(side, ticket))

    @rule(minutes=st.integers(5, 60))
    def waits(self, minutes: int) -> None:
        self.life.passes(minutes=minutes)


TestPeaceful = Desks.TestCase
TestPeaceful.settings = settings(stateful_step_count=25, report_multiple_bugs=False)
TestTroubled = TroubledDesks.TestCase
TestTroubled.settings = settings(stateful_step_count=25, report_multiple_bugs=False)
TestFull = FullDesks.TestCase
TestFull.settings = settings(stateful_step_count=25, report_multiple_bugs=False)


@pytest.mark.parametrize("picture", [False, True])
def test_a_copy_whose_create_got_no_answer_is_found_though_times_and_its_title_changed(picture: bool) -> None:
    """An hour earlier, it would have begun before its original. The create leaves its picture to the next write."""
    desks = TroubledDesks()
    desks.opens(cls="UserRequest", entries=[])
    if picture:
        desks.changes_nothing_but_a_picture(ticket=0)
    desks.life.courier.wire.troubles = [Trouble.LANDED]
    desks.life.sync()
    desks.changes_its_timezone(side=Side.INTERNAL, hours=-1)
    desks.edits(side=Side.EXTERNAL, ticket=0, picture=False)
    desks.rests()
