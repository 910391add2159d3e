"""The pictures in texts, compared by their bytes: a text must show the same pictures on both sides."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from itopsync.model import Observation, Side, Ticket
from itopsync.verify.entries import Mirrored
from itopsync.verify.findings import Findings
from itopsync.verify.form import Shown
from itopsync.verify.reading import Case
from itopsync.verify.words import Text

DELETED = "somebody deleted the copy of its picture"


def compare_notes_pictures(findings: Findings, case: Case, mirrored: Sequence[Mirrored], seen: Observation) -> None:
    """Compare the pictures of entries with those of their mirrors, except mirrors that join several entries."""
    for pair in mirrored:
        origin, mirror = pair.origin, pair.mirror
        if mirror.entry is None or mirror.notes > 1 or not origin.text.pictures:
            continue
        side = Side(origin.where.split(":")[1])
        unlike, deleted = _unlike(findings, case, side, origin.text, _Shown(mirror.text, seen.of(side.other), head=True))
        if deleted:
            findings.excuse(origin.where, DELETED)
        if unlike:
            findings.differs(origin.where, f"{origin.label} shows a picture that its mirror does not show")


def compare_fields_pictures(findings: Findings, case: Case, shown: Sequence[Shown], internal: Ticket) -> None:
    """Compare the pictures of external's fields with those of internal's.

    If internal received external's picture but shows another one, somebody has edited it there.
    """
    for texts in shown:
        item = f"field:{texts.rule.external}"
        unlike, deleted = _unlike(findings, case, Side.EXTERNAL, texts.origin, _Shown(texts.target, internal))
        if deleted:
            findings.excuse(item, DELETED)
        if not unlike:
            continue
        ours = [file.id for file in internal.attachments if f"itopsync-{case.rules.pair}-" in file.temp_id]
        given = {found.digest for number in ours if (found := case.library.attachment(Side.INTERNAL, number)) is not None}
        if item in case.kept or unlike <= given:
            findings.excuse(item, "a picture was replaced in internal")
        elif findings.obstacle(item) is not None or findings.waits:
            findings.excuse(item, "it waits or is parked")
        else:
            findings.differs(item, f"{texts.rule.external} of external shows a picture that internal does not show")


@dataclass(frozen=True)
class _Shown:
    """The text on the other side."""

    text: Text
    ticket: Ticket | None
    head: bool = False
    """Whether a header of ours precedes the text."""


def _unlike(findings: Findings, case: Case, side: Side, origin: Text, target: _Shown) -> tuple[set[str], bool]:
    """The digests of pictures in *origin* for which *target* shows another one, and whether *target* shows a deleted one.

    We refer only to attachments that exist: if one is missing now, somebody has deleted the copy.
    """
    found = origin.said_by(target.text.body if target.head else target.text.words)
    there = iter(target.text.pictures)
    attached = {file.id for file in target.ticket.attachments} if target.ticket is not None else set()
    unlike, deleted = set[str](), False
    for picture, is_shown in zip(origin.pictures, found.shown if found is not None else (), strict=False):
        if not is_shown:
            continue  # replaced by words
        shown = next(there, {})
        attachment = _attachment(shown, side.other, case)
        if attachment is not None and attachment not in attached:
            deleted = True
            continue
        digests = (_digest(picture, side, case), _digest(shown, side.other, case))
        findings.counts["pictures compared by their bytes"] += 1
        if digests[0] is not None and digests[0] != digests[1]:
            unlike.add(digests[0])
    return unlike, deleted


def _digest(picture: Mapping[str, str], side: Side, case: Case) -> str | None:
    """The digest of a picture, read from its own server; None if it is on another server or cannot be read."""
    source = picture.get("src", "").strip()
    if source[:5].lower() == "data:":
        data = _data(source)
        return hashlib.sha256(data).hexdigest() if data else None
    query = _query(source, side, case)
    attachment = _attachment(picture, side, case)
    if attachment is not None:
        found = case.library.attachment(side, attachment)
        return found.digest if found is not None else None
    number, secret = _first(query, "id"), _first(query, "s") or picture.get("data-img-secret", "")
    number = number or picture.get("data-img-id", "")
    if not re.fullmatch(r"[0-9]{1,10}", number):
        return None
    found = case.library.image(side, int(number), secret) if secret else None
    return found.digest if found is not None else None


def _attachment(picture: Mapping[str, str], side: Side, case: Case) -> int | None:
    """The id of the attachment that a picture shows, if it is one of *side*'s."""
    query = _query(picture.get("src", "").strip(), side, case)
    is_file = _first(query, "operation") == "download_document" and _first(query, "class") == "Attachment"
    number = _first(query, "id") or picture.get("data-img-id", "")
    return int(number) if is_file and re.fullmatch(r"[0-9]{1,10}", number) else None


def _query(source: str, side: Side, case: Case) -> Mapping[str, list[str]]:
    """The query of an address; empty if it is not one of *side*'s."""
    own = any(source.startswith(f"{address}/") for address in case.rules.of(side).addresses)
    return parse_qs(urlsplit(source).query) if own else {}


def _first(query: Mapping[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]


def _data(source: str) -> bytes | None:
    head, _, payload = source.partition(",")
    raw = unquote_to_bytes(payload)
    try:
        return base64.b64decode(raw) if head.lower().endswith(";base64") else raw
    except (binascii.Error, ValueError):
        return None
