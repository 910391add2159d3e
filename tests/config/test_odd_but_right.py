"""What may stand in a ``sync.toml`` although it looks odd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.making import GONE, REQUESTS_AS_INCIDENTS, TO_INCIDENT, Changes, load

LOOPBACK = {"external.url": "http://127.0.0.1:8081", "internal.url": "http://[::1]:8082/itop"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(LOOPBACK, id="plain http on this machine"),
        pytest.param({"external.url": "http://localhost/itop"}, id="this machine by name"),
        pytest.param({"external.url": "http://a.example.com", "external.allow_http": "a.example.com"}, id="allowed by name"),
        pytest.param({"external.url": "https://münchen.example.com"}, id="a host with an umlaut"),
        pytest.param({"external.login": "token", "external.username": GONE}, id="a token needs no user"),
        pytest.param({"external.date_format": "n/j/y g:i A"}, id="half days with their halves"),
        pytest.param({"internal.defaults.team_id": "SELECT Team WHERE name = 'x'"}, id="a query"),
        pytest.param({"internal.defaults.team_id": "39"}, id="an id as text"),
        pytest.param({"internal.defaults.agent_id": 0}, id="deliberately nobody"),
        pytest.param({"internal.defaults.origin": "portal"}, id="a plain value"),
        pytest.param(
            {
                "internal.defaults.x_site": 3,
                "classes.UserRequest.lifecycle.internal.mandatory": {"new": ["title", "org_id", "x_site"]},
            },
            id="an attribute of their own",
        ),
        pytest.param({"scope.condition": "this.title LIKE '%:)%' AND (this.org_id = 3)"}, id="a quoted bracket"),
        pytest.param({"scope.since": "2026-11-24T16:00:00+07:00"}, id="since now"),
        pytest.param({"rules.new_tickets": "never", "internal.defaults": GONE}, id="no new tickets, no defaults"),
        pytest.param({"rules.form": "never", "rules.new_tickets": "never"}, id="no new tickets, no form"),
        pytest.param({"rules.state": "never", **TO_INCIDENT}, id="no states, no counterparts"),
        pytest.param({"schedule.poll": "*/5 * * * *"}, id="a cron expression"),
        pytest.param({"schedule.poll": "5m"}, id="slower than the quiet hours of the defaults"),
        pytest.param({"limits.deletions": 0}, id="a limit of none"),
        pytest.param({"headers.to_external": "{{{side}}} 100%"}, id="braces written twice"),
        pytest.param(REQUESTS_AS_INCIDENTS, id="requests onto incidents"),
        pytest.param({"classes": {"Problem": {}}, "internal.defaults.caller_id": GONE}, id="a problem has no caller"),
    ],
)
def test_what_is_right_is_taken(changes: Changes, tmp_path: Path) -> None:
    assert load(tmp_path, changes).rules.classes
