"""Whether two model servers agree, told from the people's ledger and from what stands there; nothing here asks the planner."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from itopsync.config.catalogue import classes
from itopsync.model import Link, Ref, Side
from itopsync.reconcile.plan import Write
from itopsync.reconcile.rules import FieldRule, Kind
from tests.reconcile.life import Life, Said
from tests.reconcile.making import US
from tests.torture.leaks import folded

_OURS = "itopsync-acme-"
_SHOWN = re.compile(r'<img[^>]* src="([^"]*)"|<img src="([^"]*)"')
_PASTED = re.compile(r"operation=download_inlineimage&id=(\d+)&s=(\w+)")
_ATTACHMENT = re.compile(r"operation=download_document&(?:amp;)?class=Attachment&(?:amp;)?field=contents&(?:amp;)?id=(\d+)")


def judge(life: Life) -> None:
    """Fail with the first thing that is not as it should be."""
    assert len({link.internal for link in life.courier.links.values()}) == len(life.courier.links)
    copies = [row for row in life.servers[Side.INTERNAL].rows.values() if life.is_copy(row.ref)]
    assert len(copies) == len(life.courier.links), "a ticket was copied twice, or not at all"
    for link in life.courier.links.values():
        assert link.internal is not None
        _judge_state(life, link, link.internal)
        _judge_form(life, link, link.internal)
        for origin in (link.external, link.internal):
            _judge_notes(life, origin)
            _judge_files(life, origin)
    _judge_secrets(life)
    _judge_decisions(life)


def words(fragment: str) -> str:
    """What a text says, in words, with a sign for each picture."""
    text = re.sub(r"<img[^>]*>", " [picture] ", fragment)
    text = re.sub(r"</(p|li|div|figure|h1|pre|td)>|<br>", " ", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    text = re.sub(r"\[\[\w+:[^|\]]*\|([^\]]*)\]\]", r"\1", text)
    return " ".join(re.sub(r"\[picture[^\]]*\]", " [picture] ", text).split())


def _parked(link: Link) -> set[str]:
    return {obstacle.key for obstacle in link.obstacles if obstacle.parked}


def _judge_state(life: Life, link: Link, copy: Ref) -> None:
    external, internal = life.row(link.external).state, life.row(copy).state
    left_out = life.rules.for_external(link.external.cls).state.left_out
    counted = {side: left_out.get(state, state) for side, state in ((Side.EXTERNAL, external), (Side.INTERNAL, internal))}
    if "state" not in _parked(link):
        assert counted[Side.EXTERNAL] == counted[Side.INTERNAL]
        for name in {rule.external for rule in _companions(life, link, external)}:
            here, there = _value(life, link.external, name), _value(life, copy, name)
            beyond = here.startswith(("9999-", "0001-", "today")) and f"field:{name}" in _parked(link)  # no server could hold it
            assert here == there or beyond, name
    moved = {ref.side: life.at_stake[ref] for ref in (link.external, copy) if ref in life.at_stake}
    if life.troubled or not moved:
        return
    timers = {"escalated_tto", "escalated_ttr"}
    if len(moved) == 1 and "state" not in _parked(link):
        (side,) = moved
        assert counted[side] in {left_out.get(state, state) for state in moved[side]}, "one moved, and was taken back"
    if len(moved) > 1 and internal not in timers and not moved[Side.INTERNAL] <= timers:
        assert internal in moved[Side.INTERNAL], "both moved, and internal did not win"


def _companions(life: Life, link: Link, state: str) -> Iterable[FieldRule]:
    return life.rules.for_external(link.external.cls).state.companions.get(state, ())


def _value(life: Life, ref: Ref, name: str) -> str:
    value = life.row(ref).fields.get(name, "")
    attribute = classes()[ref.cls].attributes[name]
    return value[:16] if attribute.kind is Kind.DATE else words(value)


def _judge_form(life: Life, link: Link, copy: Ref) -> None:
    for rule in life.rules.for_external(link.external.cls).fields:
        external, internal = _value(life, link.external, rule.external), _value(life, copy, rule.internal)
        if external == internal:
            if life.row(copy).writers.get(rule.internal) == US[Side.INTERNAL]:
                _judge_pictures(life, link.external, copy, rule)
            continue
        assert life.row(copy).writers.get(rule.internal) != US[Side.INTERNAL], f"{rule.external} did not arrive"
        before = life.kept.get((copy, rule.internal), [])
        assert life.row(link.external).fields.get(rule.external, "") in before, f"{rule.external} changed, and did not follow"


def _judge_pictures(life: Life, external: Ref, copy: Ref, rule: FieldRule) -> None:
    """A text shows the pictures that its original shows, each where it was."""
    pasted = _PASTED.findall(html.unescape(life.row(external).fields.get(rule.external, "")))
    shown = _ATTACHMENT.findall(life.row(copy).fields.get(rule.internal, ""))
    if len(pasted) == len(shown):
        here = [life.servers[Side.EXTERNAL].images[int(number), secret] for number, secret in pasted]
        there = [life.row(copy).attachments.get(int(number), (None, "", b"none"))[2] for number in shown]
        assert here == there, f"{rule.external} shows other pictures there"


def _judge_notes(life: Life, origin: Ref) -> None:
    target = life.copy(origin)
    there = [stored for log in life.row(target).logs.values() for stored in log]
    ours = [stored.entry.html for stored in there if not stored.copied and stored.entry.author_id == US[target.side]]
    held = [data.decode() for attachment, _, data in life.row(target).attachments.values() if "-n-" in attachment.temp_id]
    ours += held
    mine = [stored.entry for log in life.row(origin).logs.values() for stored in log if stored.entry.author_id != US[origin.side]]
    order = []
    for said in life.said:
        standing = [entry for entry in mine if _says(entry.html, said.word)]
        arrived = [text for text in ours if _says(text, said.word)]
        if said.secret or not standing:
            assert said.origin != origin or not arrived, f"{said.word} is not there, and was carried"
            continue
        assert len(arrived) == 1, f"{said.word} of {origin} arrived {len(arrived)} times"
        if words(standing[0].html) not in words(arrived[0]):
            raise AssertionError(f"{words(standing[0].html)!r} arrived as {words(arrived[0])!r}")
        if said.origin == origin and said.picture is not None and arrived[0] not in held:
            _judge_picture(life, target, arrived[0], said)
        order.append((mine.index(standing[0]), ours.index(arrived[0]), arrived[0].find(said.word)))
    if not life.ever_troubled:
        by_origin = [place[1:] for place in sorted(order)]
        assert by_origin == sorted(by_origin), f"the notes of {origin} arrived in another order"


def _says(fragment: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", fragment) is not None


def _judge_picture(life: Life, target: Ref, arrived: str, said: Said) -> None:
    attached = {number: data for number, (_, _, data) in life.row(target).attachments.items()}
    shown = [int(found) for found in _ATTACHMENT.findall(arrived)]
    assert any(attached.get(number) == said.picture for number in shown), f"the picture of {said.word} is not seen"
    assert list(attached.values()).count(said.picture or b"") == 1, f"the picture of {said.word} is there more than once"
    assert life.rules.of(target.side).public_url in arrived


def _judge_files(life: Life, origin: Ref) -> None:
    target = life.copy(origin)
    for filed in life.filed:
        if filed.origin != origin:
            continue
        assert (filed.id in life.row(origin).attachments) is not filed.gone, "an original was touched"
        marker = f"{_OURS}a-{origin.side[0]}{filed.id}"
        copies = [data for attachment, _, data in life.row(target).attachments.values() if attachment.temp_id == marker]
        assert copies == ([] if filed.gone or filed.copy_gone else [filed.data]), f"the file {filed.id} of {origin}"
    every = [attachment.temp_id for attachment, _, _ in life.row(target).attachments.values() if attachment.temp_id]
    assert len(every) == len(set(every)), "a file is there twice"
    notes = [digest for temp_id in every if "-n-" in temp_id for digest in temp_id.split(".")[1:]]
    assert len(notes) == len(set(notes)), "a note is in two files"


def _judge_secrets(life: Life) -> None:
    rows = life.servers[Side.EXTERNAL].rows.values()
    texts = [*(stored.entry.html for row in rows for log in row.logs.values() for stored in log)]
    texts += [value for row in rows for value in row.fields.values()]
    texts += [data.decode(errors="replace") for row in rows for _, _, data in row.attachments.values()]
    whole = "\n".join(texts)
    assert not [word for word in life.secrets if _says(whole, word)], "a secret got out"
    assert "Otto Operator" not in whole
    hosts = {urlsplit(address).netloc for address in life.servers[Side.INTERNAL].addresses}
    assert not [host for host in hosts if folded(host) in folded(whole)], "an address of internal's got out"


def _judge_decisions(life: Life) -> None:
    for side, server in life.servers.items():
        for write in server.audit:
            cls = next((each for each in life.rules.classes if each.of(side) == write.ref.cls), None)
            if cls is None or write.account != US[side] or write.state == write.state_before or not write.state_before:
                continue
            lifecycle = cls.state.of(side)
            if write.state in lifecycle.decisions:
                assert write.state in life.decided.get(life.copy(write.ref), set()), f"{write.state} was decided by nobody"
    never = {"org_id", "caller_id"}
    for action in life.courier.sent:
        assert not (isinstance(action, Write) and action.fields.keys() & never)
