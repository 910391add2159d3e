"""People who write what has been used against itopsync: disguised marks, addresses, foreign markers, pictures that are gone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote, urlsplit

from itopsync.model import Side
from itopsync.simulator.caselog import CaseLog
from tests.engine.rig import TEAM
from tests.torture.ledger import Place
from tests.torture.oddities import DATES
from tests.torture.people import PRIVATE, PUBLIC, People

BEFORE = (
    *("", "\u200b", "\u2060", "\ufeff", "\u00ad", "&#8203;", "&#8288;", "<p>&shy;</p>", "&ZeroWidthSpace;&nbsp;"),
    *("{picture}", '<figure class="image">{picture}</figure>', "<blockquote>You said</blockquote>"),
    *('<a href="{url}/pages/UI.php?id=1">@Carla</a> ', "@Carla ", "<br><p></p>", "<b></b>", "&gt; You said<br>"),
)
"""What stands before a mark."""
MARKS = (
    "#internal",
    "# internal",
    "#INTERNAL",
    "\uff03internal",
    "\uff03\uff49nternal",
    "#\u200binter&shy;nal",
    "#in<b>ter</b>nal",
)
HOSTILE = (
    '<p><a name="itopsync-demo-n-9999.0123456789abcdef"></a><em>Whose is this?</em></p>',
    '<p><a name="itopsync-demo-t-UserRequest.9999"></a>A copy of nothing</p>',
    '<p><a name="itopsync-other-n-1.0123456789abcdef"></a>Of another pair</p>',
    '<p class="itopsync-demo-n-1">As it was once</p>',
    '<p>itopsync-picture:itopsync-demo-p-0123456789 <img src="itopsync-picture:there.1" alt="x"></p>',
    '<table><tbody><tr><td>a &amp; b &lt;c&gt;</td><td></td></tr></tbody></table><img src="/relative.png" alt="lost">',
    '<p onclick="x()" style="background:url(https://elsewhere.example/x)">Look<script>alert(1)</script><!-- gone --></p>',
    '<p><img src="https://elsewhere.example/x.png" alt="far away"></p><svg><a href="javascript:x()">x</a></svg>',
    "<ul><li>one<ul><li>two</ul></ul><b><i>crossed</b></i>",
    "<p>&#x1F512; \u202eright to left\u202c, \ud83d a half, a &amp;amp; and \x0b\x01</p>".replace("\ud83d", "\ufffd"),
)
"""What stands before the words of a note: nothing of it may act, be taken for ours, or take the words along."""
FORGED = (
    ("n-{number}.0123456789abcdef",),
    ("u-{cls}.{number}",),
    ("w-{number}.0123456789abcdef",),
    ("t-{cls}.{number}",),
    ("h-{cls}.{number}", "u-{cls}.{number}"),
)
"""What looks like markers of a ticket's own."""
STORY, LENGTH, AT_ONCE = 5, 60_000, 1_200_000
"""How many notes of how many words a story has, and how many bytes of it internal takes at once."""
GONE = 987_654
"""Of no picture."""


def _spellings() -> tuple[Callable[[str, str, str], str], ...]:
    """Of an address, from its scheme, host and path."""
    return (
        lambda scheme, host, path: f"{scheme}://{host}{path}",
        lambda scheme, host, path: f"{scheme.upper()}://{host.upper()}{path}",
        lambda scheme, host, path: f" {scheme}://{host}{path}",
        lambda scheme, host, path: f"{scheme}://{host}:{443 if scheme == 'https' else 80}{path}" if ":" not in host else host,
        lambda scheme, host, path: f"{scheme}://somebody@{host}{path}",
        lambda scheme, host, path: f"//{host}{path}",
        lambda scheme, host, path: f"{scheme}:/{host}{path}",
        lambda scheme, host, path: f"https://elsewhere.example/?to={quote(f'{scheme}://{host}{path}', safe='')}",
        lambda scheme, host, path: f"{scheme}://{host.replace('.', '%2E')}{path}",
        lambda scheme, host, path: f"{scheme}://{host.replace('i', chr(0xFF49))}{path}",
    )


SPELLINGS = _spellings()


class Rogues(People):
    """:class:`People`, and those who mean no good or know no better."""

    DEEDS: ClassVar[tuple[str, ...]] = (
        *People.DEEDS,
        *("disguise", "tell_an_address", "tell_an_address_with_a_state", "mention", "name_a_file", "show_anothers_file"),
        *("paste_a_copy", "write_oddly", "change_a_picture", "paste_what_is_gone", "resolve_with_what_is_gone"),
        *("plan_oddly", "copy_back", "quote_in_public", "forge_a_marker", "lend_what_is_kept", "resolve_with_a_link"),
        *("wrap_a_mail", "name_a_picture", "correct_at_once", "close_what_the_other_solved"),
    )

    # what may not leave

    def disguise(self, _side: Side, place: int, choice: int) -> None:
        """A note that is to stay, whatever stands before its mark, and its picture."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        before, mark = BEFORE[choice % len(BEFORE)], MARKS[choice // len(BEFORE) % len(MARKS)]
        picture = self._picture(Side.INTERNAL, found, self._secret("Picture"))
        text = before.format(picture=picture, url=self.pair.internal.url)
        self._say(Side.INTERNAL, found, f"{text}{mark} {self._secret('Secret')} {picture}")

    def wrap_a_mail(self, _side: Side, place: int, choice: int) -> None:
        """A note that is to stay by the mark on its second line, where the first takes several in its source, as mails do."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        words = ("\n", "\n    ", "</td><td>")[choice % 3].join(["Answer"] * 7)
        first = f"<table><tbody><tr><td>{words}</td></tr></tbody></table>" if "td" in words else f"<p>{words}</p>\n"
        self._say(Side.INTERNAL, found, f"{first}<p>{MARKS[choice % len(MARKS)]} {self._secret('Secret')}</p>")

    def lend_what_is_kept(self, _side: Side, place: int, choice: int) -> None:
        """A note that is to stay, on a ticket whose entries iTop copies into another one, since 3.3 behind a line of its own."""
        self.adopt(Side.INTERNAL, place, place + choice + 1)
        if (parent := self.pick(Side.INTERNAL, place + choice + 1)) is not None:
            self._say(Side.INTERNAL, parent, f"<p>{MARKS[choice % len(MARKS)]} {self._secret('Secret')}</p>")

    def tell_an_address(self, _side: Side, place: int, choice: int) -> None:
        """A note that names a page of internal in some spelling, in its words or in an attribute."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        address = self._address(choice)
        forms = (
            f"<p>See {address} there</p>",
            f'<p>See <a href="{address}">it</a></p>',
            f'<p title="{address}">See <img src="{address}" alt="{address}"></p>',
            f'<blockquote cite="{address}">See</blockquote>',
            f"<p>See {address[:9]}<b></b>{address[9:]} there</p>",
        )
        self._write(Side.INTERNAL, found, self._word("Note"), before=forms[choice // len(SPELLINGS) % len(forms)])

    def tell_an_address_with_a_state(self, _side: Side, place: int, choice: int) -> None:
        """What goes along with a state is plain text in part."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        told = f"See {self._address(choice)} and [[UserRequest:{self._secret_number()}|R-000041]]"
        self._advance(found, {"pending_reason": told, "user_comment": told, "solution": f"<p>{told}</p>"})

    def mention(self, _side: Side, place: int, choice: int) -> None:
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        number = self._secret_number()
        forms = (
            f"<p>[[UserRequest:{number}|R-000041]] as well</p>",
            f"<p>[[User Request:{number} | R-000041]] as well</p>",
            f"<p>[[[[UserRequest:{number}|x]] as well</p>",
            f'<p><a href="#" data-object-class="UserRequest" data-object-id="{number}">R-000041</a> as well</p>',
        )
        self._write(Side.INTERNAL, found, self._word("Note"), before=forms[choice % len(forms)])

    def name_a_file(self, _side: Side, place: int, choice: int) -> None:
        """A file whose name names what is internal's."""
        if (found := self.pick(Side.INTERNAL, place)) is not None:
            name = f"[[UserRequest:{self._secret_number()}|R-41]] {self._address(choice)}.txt"
            number = self._there(Side.INTERNAL, found)
            self.pair.operator.attach(found[0], number, name, "text/plain", self._word("Data").encode())

    def name_a_picture(self, _side: Side, place: int, choice: int) -> None:
        """A pasted screenshot of a page of internal's, named by the program that made it; or one that is gone since."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        page = re.sub(r"[^a-z0-9.]+", "_" if choice % 2 else "-", self._address(0).replace("&amp;", "&"))
        name, number = f"screencapture-{page}.png", self._there(Side.INTERNAL, found)
        shown = self.pair.operator.paste_image(found[0], number, name, "image/png", self._word("Data").encode())
        if choice // 2 % 2:
            self.pair.operator.delete("InlineImage", int(shown.split('"')[1]))
        self._write(Side.INTERNAL, found, self._word("Note"), before=f"<p>See {shown}</p>")

    def show_anothers_file(self, _side: Side, place: int, choice: int) -> None:
        """A note that shows a file of a ticket that is internal's own."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        if not self.ledger.own_files:
            self.open_in_internal()
        file = self.ledger.own_files[choice % len(self.ledger.own_files)]
        query = f"operation=download_document&amp;class=Attachment&amp;field=contents&amp;id={file}"
        image = f'<img src="{self.pair.internal.url}/pages/ajax.document.php?{query}" alt="plan">'
        self._write(Side.INTERNAL, found, self._word("Note"), before=f"<p>See {image}</p>")

    def give_the_copys_id_again(self, place: int, choice: int) -> None:
        """The copy goes, and its server gives its id to a ticket of internal's own, perhaps its number and its files' ids too."""
        if (found := self.pick(Side.INTERNAL, place)) is None:
            return
        internal, number = self.pair.internal, self._there(Side.INTERNAL, found)
        before, files = (
            internal.ticket(found[0], number),
            [file["id"] for file in internal.ticket(found[0], number)["attachments"]],
        )
        self.pair.operator.delete(found[0], number)
        self.ledger.gone.add(found)
        internal.store.table(found[0]).next_id = number
        if choice % 2 and files:
            internal.store.table("Attachment").next_id = files[0]
        self.open_in_internal()
        after = internal.store.get("UserRequest", number)
        assert after is not None
        internal.store.put({**after, "ref": before["ref"]} if choice // 2 % 2 else after)

    def give_a_files_id_again(self, place: int, _choice: int) -> None:
        """A file goes, and its server gives its id to a file of a ticket of internal's own."""
        if (found := self.pick(Side.INTERNAL, place)) is not None:
            file = self.pair.internal.ticket(found[0], self._there(Side.INTERNAL, found))["attachments"][0]["id"]
            self.pair.operator.delete_attachment(file)
            self.pair.internal.store.table("Attachment").next_id = file
            self.open_in_internal()

    # what must arrive

    def open_a_long_story(self, cls: str) -> None:
        """A ticket with more in its log than internal takes in one request."""
        self.open(cls, 0, 0)
        for _ in range(STORY):
            self._write(Side.EXTERNAL, self.ledger.tickets[-1], self._word("Note"), before=f"<p>{'long ' * LENGTH}</p>")

    def paste_a_copy(self, side: Side, place: int, choice: int) -> None:
        """A note that begins with an entry of ours out of another ticket, marker and all."""
        found, other = self.pick(side, place), self.pick(side, choice)
        family = {relative[1:] for relative in (*self.ledger.parents, *self.ledger.children)}
        if found is None or other is None or found == other or {found, other} & family:
            return
        copied = self._of_ours(side, other)
        if copied:
            self._write(side, found, self._word("Note"), before=copied[choice // 7 % len(copied)])

    def copy_back(self, side: Side, place: int, choice: int) -> None:
        """A note that begins with an entry of ours out of the other server: a mirror comes back to where its original is."""
        if (found := self.pick(side, place)) is None or self._copy(found) is None:
            return
        copied = self._of_ours(side.other, found) or [""]
        self._write(side, found, self._word("Note"), before=copied[choice % len(copied)])

    def quote_in_public(self, side: Side, place: int, choice: int) -> None:
        """A note in the public log that begins with an entry of ours out of the private one."""
        if (found := self.pick(side, place)) is None or PUBLIC not in self.pair.external.store.schema[found[0]].attributes:
            return
        if copied := self._of_ours(side, found):
            self._write(side, found, self._word("Note"), before=copied[choice % len(copied)], log=PUBLIC)
        else:
            self.note(side.other, place, choice)

    def forge_a_marker(self, side: Side, place: int, choice: int) -> None:
        """A note that begins with what looks like a marker of this very ticket's."""
        if (found := self.pick(side, place)) is not None:
            forged = [f"itopsync-demo-{form.format(cls=found[0], number=found[1])}" for form in FORGED[choice % len(FORGED)]]
            head = f'<p><a name="{",".join(forged)}"></a><em>Operations</em></p>'
            self._write(side, found, self._word("Note"), before=head)

    def _of_ours(self, side: Side, ticket: Place) -> list[str]:
        """The entries that bear a marker in the private log of a ticket on *side*, with the words in them made others."""
        log = self.pair.simulator(side).ticket(ticket[0], self._there(side, ticket))[PRIVATE]
        copied = [entry.text for entry in log if 'name="itopsync-demo-' in entry.text and "<img" not in entry.text]
        return [re.sub(r"\b(?:Meanwhile|Thanks\.|Note (\d+))", r"(\1)", text) for text in copied]

    def answer_what_is_wiped_out(self, side: Side, place: int, _choice: int) -> None:
        """A note that begins with a mirror of ours, and alone does: somebody's save has wiped that mirror out."""
        if (found := self.pick(side, place)) is None:
            return
        number, simulator = self._there(side, found), self.pair.simulator(side)
        log, row = simulator.ticket(found[0], number)[PRIVATE], simulator.store.get(found[0], number)
        if row is not None and '"itopsync-demo-n-' in log[-1].text:
            simulator.store.put({**row, PRIVATE: CaseLog(log[:-1])})
            self.ledger.late.add((side, *found))
            self._write(side, found, self._word("Note"), before=log[-1].text)

    def write_oddly(self, side: Side, place: int, choice: int) -> None:
        if (found := self.pick(side, place)) is not None:
            self._write(side, found, self._word("Note"), before=HOSTILE[choice % len(HOSTILE)])

    def change_a_picture(self, _side: Side, place: int, _choice: int) -> None:
        """A description of the same words, with another picture."""
        if (found := self.pick(Side.EXTERNAL, place)) is not None:
            picture = self._picture(Side.EXTERNAL, found, self._word("Picture"))
            with self._saving(Side.EXTERNAL, found):
                self.pair.customer.update(*found, description=f"<p>Look</p><p>{picture}</p>")

    def paste_what_is_gone(self, side: Side, place: int, _choice: int) -> None:
        """A note that shows a picture which is not there any more, and another note after it."""
        if (found := self.pick(side, place)) is not None:
            self._write(side, found, self._word("Note"), before=f"<p>Look {self._gone(side)}</p>")
            self._write(side, found, self._word("Note"))

    def resolve_with_what_is_gone(self, side: Side, place: int, _choice: int) -> None:
        if (found := self.pick(side, place)) is not None:
            self._advance(found, {"solution": f"<p>Done {self._gone(side)}</p>"}, side)

    def resolve_with_a_link(self, side: Side, place: int, _choice: int) -> None:
        """A solution whose words say little without the address that a link hides, and without the order of its steps."""
        if (found := self.pick(side, place)) is not None:
            self.count += 1
            link = f'<a href="https://vendor.example/fix?id={self.count}&amp;x=1">here</a>'
            self._advance(found, {"solution": f"<p>Look {link}.</p><ol><li>Stop</li><li>Start</li></ol>"}, side)

    def close_what_the_other_solved(self, side: Side, place: int, choice: int) -> None:
        """Close what the other side has resolved, and say nothing; it resolves it first if it has not."""
        if (found := self.pick(side, place)) is not None and self._are_resolved(found):
            self._press(side, found, "ev_close")
        else:
            self.resolve_with_a_link(side.other, place, choice)

    def correct_at_once(self, _side: Side, place: int, _choice: int) -> None:
        """Correct external's solution, perhaps before anybody knows what became of the first one; internal has said nothing."""
        resolved = [ticket for ticket in self.ledger.tickets if self._is_solved_by_external(ticket)]
        if resolved:
            ticket, value = resolved[place % len(resolved)], self._word("Corrected")
            with self._saving(Side.EXTERNAL, ticket):
                self.pair.customer.update(*ticket, solution=f"<p>{value}</p>")
            self.ledger.corrected[*ticket, "solution"] = value

    def _is_solved_by_external(self, ticket: Place) -> bool:
        row = self.pair.external.store.get(*ticket)
        if ticket in self.ledger.gone or row is None or row["status"] != "resolved" or "solution" not in row:
            return False
        number = self._copy(ticket)
        written = self.pair.internal.audit.select(class_name=ticket[0], id=number, done=True) if number is not None else ()
        return not any("solution" in write.fields for write in written if write.by != "rest")

    def plan_oddly(self, side: Side, place: int, choice: int) -> None:
        """Enter a date that may be none, where a change is planned; a later one mends it."""
        if (found := self.pick(side, place)) is not None and found[0] == "NormalChange":
            name = ("start_date", "end_date")[choice % 2]
            with self._saving(side, found):
                self.pair.agent(side).update(found[0], self._there(side, found), **{name: DATES[choice // 2 % len(DATES)]})

    def plan(self, ticket: Place) -> None:
        """Bring a new change to where its dates are carried."""
        for stimulus in ("ev_validate", "ev_assign", "ev_plan"):
            self._press(Side.EXTERNAL, ticket, stimulus)

    def tell(self, side: Side, ticket: Place) -> str:
        """Write a note on this very ticket; what it says."""
        word = self._word("Note")
        self._write(side, ticket, word)
        return word

    # small things

    def _gone(self, side: Side) -> str:
        query = f"operation=download_inlineimage&amp;id={GONE}&amp;s=abcdef"
        return f'<img src="{self.pair.simulator(side).url}/pages/ajax.document.php?{query}" alt="plan">'

    def _address(self, choice: int) -> str:
        """A page of internal's own, in one of the spellings, under one of the names of the server."""
        own = self.ledger.addresses
        parts = urlsplit(own[choice % len(own)])
        path = f"/pages/UI.php?operation=details&amp;class=UserRequest&amp;id={self._secret_number()}"
        return SPELLINGS[choice % len(SPELLINGS)](parts.scheme, parts.netloc, path)

    def _secret_number(self) -> int:
        """An id that external may not see."""
        self.count += 1
        number = 7_130_000_000 + self.count
        self.ledger.secrets.append(str(number))
        return number

    def _advance(self, ticket: Place, said: dict[str, str], side: Side = Side.INTERNAL) -> None:
        """Press the button that asks for one of these, or what leads there."""
        row = self.pair.simulator(side).store.get(ticket[0], self._there(side, ticket))
        lifecycle = self.pair.simulator(side).store.schema[ticket[0]].lifecycle
        ways = sorted(lifecycle[row["status"]].transitions) if row is not None else []
        for stimulus in ("ev_pending" if "pending_reason" in said else "ev_resolve", "ev_resolve", "ev_assign"):
            if stimulus in ways:
                self._press(side, ticket, stimulus, said | {name: str(value) for name, value in TEAM.items()})
                return
