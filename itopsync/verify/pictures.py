"""The pictures in texts, compared by their bytes: what a text shows on one side must be what it shows on the other."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from itopsync.model import Side, Ticket
from itopsync.verify.entries import Mirrored
from itopsync.verify.findings import Findings
from itopsync.verify.form import Shown
from itopsync.verify.reading import Case
from itopsync.verify.words import PICTURE, Text


def compare_notes_pictures(findings: Findings, case: Case, mirrored: Sequence[Mirrored]) -> None:
    """Compare what entries show with what their mirrors show. Of several entries that were joined, nothing is compared."""
    for one in mirrored:
        if one.mirror.entry is None or one.mirror.notes > 1 or not one.origin.text.pictures:
            continue
        side = Side(one.origin.where.split(":")[1])
        if _unlike(findings, case, side, one.origin.text, one.mirror.text, head=True):
            findings.differs(one.origin.where, f"{one.origin.told} shows a picture that its mirror does not show")


def compare_fields_pictures(findings: Findings, case: Case, shown: Sequence[Shown], internal: Ticket) -> None:
    """Compare what fields of external show with what internal's show.

    Where internal shows another picture though it was given external's, somebody has edited it there.
    """
    for one in shown:
        item = f"field:{one.rule.external}"
        unlike = _unlike(findings, case, Side.EXTERNAL, one.origin, one.target, head=False)
        if not unlike:
            continue
        ours = [file.id for file in internal.attachments if f"itopsync-{case.rules.pair}-" in file.temp_id]
        given = {found.digest for number in ours if (found := case.library.attachment(Side.INTERNAL, number)) is not None}
        if item in case.kept or unlike <= given:
            findings.excuse(item, "a picture was replaced in internal")
        elif findings.obstacle(item) is not None or findings.waits:
            findings.excuse(item, "it waits or is parked")
        else:
            findings.differs(item, f"{one.rule.external} of external shows a picture that internal does not show")


def _unlike(findings: Findings, case: Case, side: Side, origin: Text, target: Text, *, head: bool) -> set[str]:
    """The digests of the pictures in *origin* in whose place *target* shows another one. *head*: behind a header of ours."""
    found = origin.pattern.fullmatch(target.body if head else target.words)
    places = found.groups() if found is not None else ()
    there = iter(target.pictures)
    unlike = set()
    for picture, place in zip(origin.pictures, places, strict=False):
        if place != PICTURE:
            continue  # told in words
        shown = next(there, None)
        digests = (_digest(picture, side, case), _digest(shown or {}, side.other, case))
        findings.counts["pictures compared by their bytes"] += 1
        if digests[0] is not None and digests[0] != digests[1]:
            unlike.add(digests[0])
    return unlike


def _digest(picture: Mapping[str, str], side: Side, case: Case) -> str | None:
    """The digest of a picture; None where it is of another server, or cannot be read. It is asked of its own server only."""
    source = picture.get("src", "").strip()
    if source[:5].lower() == "data:":
        data = _data(source)
        return hashlib.sha256(data).hexdigest() if data else None
    addresses = {case.rules.side(side).url, case.rules.side(side).public_url}
    query: dict[str, list[str]] = {}
    if any(source.startswith(f"{address}/") for address in addresses):
        query = parse_qs(urlsplit(source).query)
    number, secret = _first(query, "id"), _first(query, "s") or picture.get("data-img-secret", "")
    number = number or picture.get("data-img-id", "")
    if not re.fullmatch(r"[0-9]{1,10}", number):
        return None
    is_file = _first(query, "operation") == "download_document" and _first(query, "class") == "Attachment"
    found = None
    if is_file:
        found = case.library.attachment(side, int(number))
    elif secret:
        found = case.library.image(side, int(number), secret)
    return found.digest if found is not None else None


def _first(query: Mapping[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]


def _data(source: str) -> bytes | None:
    head, _, payload = source.partition(",")
    raw = unquote_to_bytes(payload)
    try:
        return base64.b64decode(raw) if head.lower().endswith(";base64") else raw
    except (binascii.Error, ValueError):
        return None
