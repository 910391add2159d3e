"""The record of real exchanges with iTop 3.2.0 (``data/*.jsonl``), and how to put them to a simulator again."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from itopsync.simulator import AccessMode, Account, SimRequest, SimResponse, Simulator
from itopsync.simulator.rights import ADMINISTRATOR, REST_PROFILE

DATA = Path(__file__).parent / "data"
TIMEZONE = ZoneInfo("Asia/Jakarta")
_WRITTEN_DATE = re.compile(r"2026-11-24 \d\d:\d\d:\d\d")
_SERVICE_PROFILES = (
    REST_PROFILE, "Support Agent", "Service Desk Agent", "Service Manager", "Change Implementor", "Change Supervisor",
    "Change Approver",
)  # fmt: skip
#: The accounts of the recorded server, by the name that the record has for them.
ACCOUNTS = {
    "admin": Account("admin", "admin-password", 1, 1, (ADMINISTRATOR, REST_PROFILE)),
    "sync": Account("itopsync", "S3cret!sync", 2, 40, _SERVICE_PROFILES),
    "root2": Account("root2", "root2-password", 3, 41, (ADMINISTRATOR, REST_PROFILE)),
    "agent": Account("alice", "alice-password", 4, 42, (ADMINISTRATOR, REST_PROFILE)),
    "norest": Account("norest", "norest-password", 5, 43, ("Support Agent",)),
}
_CREDENTIALS = {user: (account.login, account.password) for user, account in ACCOUNTS.items()}
_CREDENTIALS |= {"wrong": ("itopsync", "not this one"), "ghost": ("ghost", "boo")}
#: What an administrator had set on the server, by the beginning of an exchange's name.
_SETTINGS: dict[str, dict[str, Any]] = {
    "fault/access-mode-0": {"access_mode": AccessMode.READ_ONLY},
    "fault/access-mode-1": {"access_mode": AccessMode.USERS},
    "fault/access-mode-2": {"access_mode": AccessMode.ADMINISTRATORS_WRITE},
    "fault/maintenance": {"maintenance": True},
    "format/day-first-minutes": {"date_format": "d/m/Y H:i"},
}
#: Times of exchanges that a later one reveals, where they are not those of the next that shows a date.
_REVEALED = {"lifecycle/UserRequest/status-by-update-accepted": "2026-11-24 10:08:28"}
_USUAL = {"access_mode": AccessMode.FULL, "maintenance": False, "date_format": "Y-m-d H:i:s"}


@dataclass(frozen=True)
class Exchange:
    """One exchange: what was sent, what came back, and the latest date in it that the server made."""

    name: str
    given: dict[str, Any]
    dated: datetime | None

    @property
    def settings(self) -> dict[str, Any]:
        return _USUAL | next((settings for start, settings in _SETTINGS.items() if self.name.startswith(start)), {})

    def request(self) -> SimRequest:
        """The request again."""
        if "http_get" in self.given:
            path, _, query = self.given["http_get"].partition("?")
            return SimRequest("GET", path, query)
        form: dict[str, str] = {}
        if self.given["user"]:
            form["auth_user"], form["auth_pwd"] = _CREDENTIALS[self.given["user"]]
        if self.given.get("raw_json_data") is not None:
            form["json_data"] = self.given["raw_json_data"]
        elif self.given.get("request_summary"):  # an upload beyond post_max_size, of which only the size is recorded
            form["json_data"] = "x" * 68_000_000
        elif self.given["request"] is not None:
            form["json_data"] = json.dumps(self.given["request"])
        version = self.given["version"]
        headers = {"content-type": "application/x-www-form-urlencoded"}
        query = f"version={version}" if version else ""
        return SimRequest("POST", "/webservices/rest.php", query, headers, urlencode(form).encode())

    def differences(self, answered: SimResponse) -> list[str]:
        """Where an answer is not the recorded one, down to types and the order of keys."""
        found = list(_differing("status", self.given["http_status"], answered.status))
        if "response" in self.given and self.given["response"] is not None:
            found += _differing("", self.given["response"], json.loads(answered.body))
        elif "body_base64" in self.given:
            found += _differing("body", base64.b64decode(self.given["body_base64"]), answered.body)
        else:
            found += _differing("body", self.given["body_text"], answered.body.decode())
        if self.given.get("content_type"):
            found += _differing("content_type", self.given["content_type"], answered.headers["content-type"])
        return found


def read() -> list[Exchange]:
    """Both records, in the order in which they were made."""
    lines = [line for name in ("transcript", "transcript-faults") for line in _lines(name)]
    return [Exchange(given["name"], given, _latest_date(given)) for given in lines]


def replay(exchanges: list[Exchange]) -> Iterator[tuple[Exchange, list[str]]]:
    """Put them all to one simulator, each at its recorded time, and tell how the answers differ.

    An exchange whose answer shows no date of the server's took place before the next one that does, and takes its time.
    """
    clock = min(exchange.dated for exchange in exchanges if exchange.dated)
    simulator = Simulator(
        "http://127.0.0.1:8101", TIMEZONE.key, lambda: clock, accounts=ACCOUNTS.values(), problem_management=False
    )  # fmt: skip
    for place, exchange in enumerate(exchanges):
        if exchange.name == "fault/access-mode-0-read-only/get":
            # Between the two records somebody opened a ticket: the second one counts one more than the first left.
            simulator.agent("alice").create("UserRequest")
        clock = max(clock, next((later.dated for later in exchanges[place:] if later.dated), clock))
        for setting, value in exchange.settings.items():
            setattr(simulator, setting, value)
        yield exchange, exchange.differences(simulator.handle(exchange.request()))


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with (DATA / f"{name}.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _latest_date(given: dict[str, Any]) -> datetime | None:
    dates = _WRITTEN_DATE.findall(_REVEALED.get(given["name"], json.dumps(given.get("response"))))
    return datetime.fromisoformat(max(dates)).replace(tzinfo=TIMEZONE).astimezone(UTC) if dates else None


def _differing(path: str, recorded: Any, answered: Any) -> Iterator[str]:
    if type(recorded) is not type(answered):
        yield f"{path}: {recorded!r} became {answered!r}"
    elif isinstance(recorded, dict):
        if list(recorded) != list(answered):
            yield f"{path} keys: {list(recorded)} became {list(answered)}"
        for key in recorded.keys() & answered.keys():
            yield from _differing(f"{path}/{key}", recorded[key], answered[key])
    elif isinstance(recorded, list):
        if len(recorded) != len(answered):
            yield f"{path} length: {len(recorded)} became {len(answered)}"
        for place, (before, now) in enumerate(zip(recorded, answered, strict=False)):
            yield from _differing(f"{path}/{place}", before, now)
    elif recorded != answered:
        yield f"{path}: {recorded!r} became {answered!r}"
