"""What one ticket may be odd in, on a server or in its answers: no other ticket may feel it, not even for one cycle."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from itopsync.model import Ref
from tests.engine.rig import Rig

DATES = ("0202-05-01 08:00:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00", "1969-12-31 23:59:59", "2026-12-01 09:00:00")
"""What people enter where a date is asked for; the last one is in order."""


class Oddity(StrEnum):
    """What is odd."""

    LONG_AGO = "a planned date in the year 202"
    NEVER = "a planned date that no clock east of Greenwich can tell"
    FIRST_DAY = "the first date that there is"
    CORRECTED = "a corrected beginning"
    TIMEZONE = "a corrected timezone"
    NO_DATE = "an entry without a date"
    CODE_100 = "an error whenever the ticket is read"
    SHAPE = "a row of another shape"


_DATED = {Oddity.LONG_AGO: DATES[0], Oddity.NEVER: DATES[1], Oddity.FIRST_DAY: DATES[2], Oddity.CORRECTED: "2026-11-23 07:30:00"}


@dataclass
class Spoiler(httpx.BaseTransport):
    """Alters what is answered of one ticket."""

    inner: httpx.BaseTransport
    name: str = ""
    """``UserRequest::17``; nothing is altered where it is empty."""
    how: Oddity = Oddity.SHAPE

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        if not self.name or self.name not in (text := response.read().decode("utf-8", "replace")):
            return response
        answer = json.loads(text)
        shown = answer.get("objects") or {}
        if self.name not in shown:
            return response
        altered = _altered(answer, self.name, self.how)
        return httpx.Response(200, headers={"date": response.headers["date"]}, json=altered)


def _altered(answer: dict[str, Any], name: str, how: Oddity) -> dict[str, Any]:
    row = answer["objects"][name]
    if how is Oddity.SHAPE:
        answer["objects"][name] = "?"
    elif how is Oddity.CODE_100 and "private_log" in row["fields"]:
        return {"code": 100, "message": "Error: Call to a member function Get() on null", "objects": None}
    elif how is Oddity.NO_DATE:
        for entry in row["fields"].get("private_log", {}).get("entries", ())[:1]:
            entry["date"] = ""
    return answer


def strike(rig: Rig, spoiler: Spoiler, how: Oddity, ref: Ref) -> None:
    """Let a ticket be odd from now on; *spoiler* alters the answers of its side."""
    agent = rig.agent(ref.side)
    if how in _DATED:
        agent.update(ref.cls, ref.id, start_date=_DATED[how])
    elif how is Oddity.TIMEZONE:
        loaded = rig.configuration
        zone = ZoneInfo("Asia/Tokyo")
        rules = replace(loaded.rules, external=replace(loaded.rules.external, timezone=zone))
        rig.configuration = replace(loaded, rules=rules, external=loaded.external.model_copy(update={"timezone": zone}))
        rig.restart()
    else:
        spoiler.name, spoiler.how = f"{ref.cls}::{ref.id}", how
        agent.update(ref.cls, ref.id, title="Odd")
