"""What can be wrong with a ``sync.toml`` as a whole: each fault names its key, says what is wrong, and how to mend it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.config.making import GONE, Case, Changes, check_fault, faults
from tests.pipes import pipe

TABLE: list[Case] = [
    # what must be given
    ("no pair", {"pair": GONE}, "pair", "missing", "must never change"),
    ("no url", {"external.url": GONE}, "external.url", "missing", "https://"),
    ("no username", {"internal.username": GONE}, "internal.username", "missing", "account"),
    ("no timezone", {"external.timezone": GONE}, "external.timezone", "missing", "Europe/Paris"),
    ("no password", {"external.password_env": GONE}, "external.password_file", "missing", "password_env"),
    ("no since", {"scope": GONE}, "scope.since", "missing", "since = 2026-11-24"),
    ("no class", {"classes": {}}, "classes", "missing", "[classes.UserRequest]"),
    ("an org on no side", {"internal.defaults.org_id": GONE}, "internal.defaults.org_id", "missing", "criterion"),
    ("no caller", {"internal.defaults.caller_id": GONE}, "internal.defaults.caller_id", "missing", "email"),
    # keys that there are not
    ("a misspelt key", {"pear": 1}, "pear", "no such key", "Did you mean pair?"),
    ("a misspelt key of a server", {"external.timezon": "UTC"}, "external.timezon", "no such key", "timezone?"),
    ("a misspelt key of a class", {"classes.UserRequest.forms": []}, "classes.UserRequest.forms", "no such key", "form?"),
    ("a key of another table", {"scope.creations": 3}, "scope.creations", "no such key", "belong to [limits]?"),
    ("a table that there is not", {"engine": {"workers": 4}}, "engine", "no such key", "there are: pair, external"),
    ("a key of no table", {"scope.colour": "red"}, "scope.colour", "no such key", "there are: since, condition"),
    ("a key outside of its table", {"since": date(2026, 1, 1)}, "since", "outside its table", "[scope]"),
    ("a password in the file", {"external.password": "x"}, "external.password", "does not belong", "mode 600"),
    ("a token in the file", {"internal.token": "x"}, "internal.token", "does not belong", "password_env"),
    ("a row that is never carried", {"rules.agent": "both"}, "rules.agent", "never carried", "internal.defaults"),
    ("an impossible name", {"classes.User Request": {}}, "classes.User Request", "name in iTop", "letters"),
    # values of the wrong kind
    ("a pair with capitals", {"pair": "Acme"}, "pair", "'Acme' is not valid", "lower-case"),
    ("a number for a text", {"external.username": 7}, "external.username", "7 is not valid", "text in quotes"),
    ("a text for a number", {"limits.creations": "4"}, "limits.creations", "'4' is not valid", "whole number"),
    ("a number out of bounds", {"external.connections": 99}, "external.connections", "99 is not valid", "or equal to 32"),
    ("a text for yes or no", {"rules.images": "yes"}, "rules.images", "'yes' is not valid", "true or false"),
    ("a text for a list", {"rules.keep_internal": "#x"}, "rules.keep_internal", "'#x' is not valid", "a list"),
    ("an empty mark", {"rules.keep_internal": [" "]}, "rules.keep_internal.0", "' ' is not valid", "at least 1"),
    ("an unseen mark", {"rules.keep_internal": ["#x", "\u200b\ufe0f"]}, "rules.keep_internal.1", "keep every note in", "anew"),
    ("an accent of nothing", {"rules.keep_internal": ["¨"]}, "rules.keep_internal.0", "keep every note in", "anew"),
    ("a text for a table", {"limits": "none"}, "limits", "'none' is not valid", "a table"),
    ("an unknown direction", {"rules.form": "out"}, "rules.form", "'out' is not valid", "'to_internal'"),
    ("a duration without a unit", {"schedule.poll": 60}, "schedule.poll", "60 is not valid", '"90s"'),
    ("a duration of another unit", {"limits.landing": "5 weeks"}, "limits.landing", "'5 weeks' is not valid", '"7d"'),
    ("a duration without end", {"limits.landing": "4000d"}, "limits.landing", "'4000d' is not valid", "ten years"),
    ("a cron expression that is none", {"schedule.poll": "*/5 * * * 99"}, "schedule.poll", "is not valid", "cron"),
    ("a size without a unit", {"limits.file_size": "20"}, "limits.file_size", "'20' is not valid", '"20MB"'),
    ("a small request", {"internal.max_request": "512kB"}, "internal.max_request", "a long description", "1,000,000"),
    ("a size below nothing", {"limits.file_size": -1}, "limits.file_size", "-1 is not valid", "greater than or equal to 0"),
    ("a date that is none", {"scope.since": "yesterday"}, "scope.since", "'yesterday' is not valid", "2026-01-31"),
    ("a number for a date", {"scope.since": 2026}, "scope.since", "2026 is not valid", "2026-01-31"),
    ("a year before all servers", {"scope.since": date(1066, 1, 1)}, "scope.since", "this is not valid", "1066"),
    ("a default of no kind", {"internal.defaults.team_id": 2.5}, "internal.defaults.team_id", "2.5 is not valid", "criterion"),
    ("an empty criterion", {"internal.defaults.team_id": {}}, "internal.defaults.team_id", "this is not valid", "criterion"),
    # servers
    ("no address", {"external.url": "customers.example.com"}, "external.url", "not the address of a web server", "https://"),
    ("a broken address", {"external.url": "https://[::1"}, "external.url", "not the address of a web server", "https://"),
    ("no host that there can be", {"external.url": "https://a..b/"}, "external.url", "not the address", "https://"),
    ("another protocol", {"external.url": "ftp://example.com"}, "external.url", "not the address of a web server", "https://"),
    ("an address with a user", {"external.url": "https://me:pw@example.com"}, "external.url", "contains a user name", "username"),
    ("an address with a query", {"external.url": "https://example.com/?a=1"}, "external.url", "more than a host", "https://"),
    (
        "the address of the API",
        {"external.url": "https://example.com/itop/webservices/rest.php"},
        "external.url",
        "names a page",
        "Remove /webservices/rest.php: https://example.com/itop",
    ),
    ("another page", {"external.url": "https://example.com/pages/UI.php"}, "external.url", "names a page", "https://"),
    ("a bad public address", {"internal.public_url": "desk"}, "internal.public_url", "not the address", "https://"),
    ("plain http", {"external.url": "http://example.com"}, "external.url", "unencrypted", 'allow_http = "example.com"'),
    (
        "leave for another server",
        {"external.url": "http://example.com", "external.allow_http": "example.org"},
        "external.allow_http",
        "not the host in url",
        'allow_http = "example.com"',
    ),
    ("needless leave", {"external.allow_http": "other.example.com"}, "external.allow_http", "not the host", "https"),
    (
        "both sides the same server",
        {"internal.url": "https://CUSTOMERS.example.com:443/itop/"},
        "internal.url",
        "the same server",
        "company's own",
    ),
    ("a name with a colon", {"external.username": "a:b", "external.login": "basic"}, "external.username", "colon", "form"),
    ("a name that cannot be typed", {"external.username": "a\nb"}, "external.username", "cannot be typed", "login"),
    ("a timezone that is none", {"external.timezone": "Europe/Pari"}, "external.timezone", "no timezone", "Europe/Paris?"),
    ("a timezone outside", {"external.timezone": "../etc/passwd"}, "external.timezone", "no timezone", "Europe/Paris"),
    ("a format with other letters", {"external.date_format": "Y-m-d e"}, "external.date_format", "'e'", "known are"),
    ("a format twice", {"external.date_format": "Y-m-d H:i d"}, "external.date_format", "twice", "date_and_time_format"),
    ("a format without minutes", {"external.date_format": "Y-m-d H"}, "external.date_format", "no minute", "Copy"),
    ("a format with half days", {"external.date_format": "Y-m-d h:i"}, "external.date_format", "half of the day", "Copy"),
    ("a certificate that is not there", {"external.ca_file": "ca.pem"}, "external.ca_file", "No such file", "path"),
    ("a certificate that is none", {"external.ca_file": "sync.toml"}, "external.ca_file", "no PEM certificate", "PEM"),
    ("a certificate without a path", {"external.ca_file": "a\0b"}, "external.ca_file", "not a path", "Check"),
    ("no time at all", {"external.timeout": "0s"}, "external.timeout", "no time", '"30s"'),
    ("a write that lands late", {"external.timeout": "5m"}, "external.timeout", "limits.landing", "which is 5m"),
    # defaults
    ("a default that iTop keeps", {"internal.defaults.status": "new"}, "internal.defaults.status", "keeps", "Remove it"),
    ("a misspelt default", {"internal.defaults.team": 3}, "internal.defaults.team", "none of the synced", "team_id?"),
    ("a default of no class", {"external.defaults.x": 3}, "external.defaults.x", "none of the synced", "lifecycle.external"),
    (
        "a name where a key is due",
        {"internal.defaults.org_id": "Acme"},
        "internal.defaults.org_id",
        "neither an id nor an OQL query",
        '{ name = "Acme" }',
    ),
    (
        "a person by its name",
        {"internal.defaults.caller_id": "Ada Example"},
        "internal.defaults.caller_id",
        "neither an id nor an OQL query",
        '{ friendlyname = "Ada Example" }',
    ),
    (
        "a person by its address",
        {"internal.defaults.agent_id": "ada@example.com"},
        "internal.defaults.agent_id",
        "neither an id nor an OQL query",
        '{ email = "ada@example.com" }',
    ),
    # store
    ("no store", {"store.url": "mysql://host/db"}, "store.url", "not the address of a store", "sqlite:///FILE"),
    ("a store without form", {"store.url": "store.sqlite"}, "store.url", "not the address of a store", "postgresql://"),
    ("a store in memory", {"store.url": "sqlite://"}, "store.url", "forgets every link", "sqlite:///FILE"),
    ("a password of a file", {"store.password_env": "EXTERNAL_PASSWORD"}, "store.password_file", "no password", "Remove"),
    (
        "a password in the store's address",
        {"store.url": "postgresql://me:secret@host/db"},
        "store.url",
        "does not belong in this file",
        "store.password_file",
    ),
    (
        "a password among the store's parameters",
        {"store.url": "postgresql://me@host/db?sslmode=require&p%61ssword=secret"},
        "store.url",
        "a password does not belong in this file",
        "store.password_file",
    ),
    (
        "another secret among the store's parameters",
        {"store.url": "postgresql://me@host/db?sslmode=require&sslpassword=secret"},
        "store.url",
        "sslpassword does not belong in this file",
        "service=NAME",
    ),
    ("no database", {"store.url": "postgresql://me@host"}, "store.url", "no database", "DATABASE"),
    (
        "a password for nobody",
        {"store.url": "postgresql://host/db", "store.password_env": "EXTERNAL_PASSWORD"},
        "store.url",
        "no user",
        "USER@HOST",
    ),
    ("a lease that runs out", {"store.lease": "5s"}, "store.lease", "run out", "10s"),
    # scope, schedule, headers
    ("a whole query", {"scope.condition": "SELECT UserRequest"}, "scope.condition", "whole query", "this.org_id = 3"),
    ("an open bracket", {"scope.condition": "(this.id = 3"}, "scope.condition", "not closed", "Close it"),
    ("a bracket too many", {"scope.condition": "1) OR (1"}, "scope.condition", "not closed", "Close it"),
    (
        "an open quote",
        {"classes.UserRequest.scope": r"this.title = 'a\'"},
        "classes.UserRequest.scope",
        "not closed",
        "Close it",
    ),
    ("a day that never comes", {"schedule.poll": "0 0 31 2 *"}, "schedule.poll", "never comes", "*/5"),
    ("no waiting", {"schedule.poll": "0s"}, "schedule.poll", "shorter than a second", '"1s"'),
    ("an open brace", {"headers.to_internal": "{side"}, "headers.to_internal", "a brace stands alone", "{author}"),
    ("an unknown place", {"headers.to_external": "{who}"}, "headers.to_external", "would fill {who}", "{side}"),
    ("a misspelt place", {"headers.to_external": "{tim}"}, "headers.to_external", "would fill {tim}", "time?"),
    ("a place without a name", {"headers.to_internal": "{}"}, "headers.to_internal", "would fill {}", "{side}"),
    ("a place with a format", {"headers.to_internal": "{time:>9}"}, "headers.to_internal", "no format", "{time} alone"),
    ("an author of nothing", {"headers.copied": "{author}"}, "headers.copied", "would fill {author}", "{number}"),
    ("a time that is none", {"headers.time_format": "%H\0"}, "headers.time_format", "no format of a time", "%Y"),
]


@pytest.mark.parametrize("case", TABLE, ids=[case[0] for case in TABLE])
def test_a_fault_names_its_key_and_says_how_to_mend_it(case: Case, tmp_path: Path) -> None:
    check_fault(tmp_path, case)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        {
            "pear": 1,
            "external.url": "http://example.com",
            "external.password_env": "NOT_SET",
            "internal.timezone": GONE,
            "scope.since": "soon",
            "classes.UserRequest.rules.notes": {"privat_log": "never"},
            "classes.UserRequest.attributes.impact.to_internal": {"1": "1", "2": "1"},
            "classes.Incidnt": {},
        },
    )
    assert set(found) == {
        "pear",
        "external.url",
        "external.password_env",
        "internal.timezone",
        "scope.since",
        "classes.UserRequest.rules.notes.privat_log",
        "classes.UserRequest.attributes.impact.to_internal",
        "classes.Incidnt",
    }


def test_a_key_that_is_wrong_is_complained_of_once(tmp_path: Path) -> None:
    assert list(faults(tmp_path, {"external": 7})) == ["external"]
    assert list(faults(tmp_path, {"classes.UserRequest": 7})) == ["classes.UserRequest"]


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("internal.routes_file", {}),
        ("external.ca_file", {}),
        ("external.password_file", {"external.password_env": GONE}),
    ],
)
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path, key: str, changes: Changes) -> None:
    with pipe(tmp_path / "pipe"):
        found = faults(tmp_path, {**changes, key: "pipe"})
    assert found[key].what.endswith("cannot be read: it is no regular file")
