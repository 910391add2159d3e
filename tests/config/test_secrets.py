"""Passwords come from a file, the environment or systemd, and show up nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopsync.itop.settings import Login
from itopsync.settings.secrets import WAYS
from tests.config.making import ENVIRON, GONE, Changes, faults, load

PASSWORD = "pä55 wörd"


def secret_file(folder: Path, contents: bytes = PASSWORD.encode() + b"\n", mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(contents)
    path.chmod(mode)
    return path


def by(way: str, name: str) -> Changes:
    return {"external.password_env": GONE, f"external.{way}": name}


def test_a_password_is_read_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    secret_file(tmp_path)
    assert load(tmp_path, by("password_file", "secret")).external.password.reveal() == PASSWORD


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_only_the_end_of_the_line_is_no_part_of_the_password(tmp_path: Path, end: bytes) -> None:
    path = secret_file(tmp_path, b" two words " + end)
    assert load(tmp_path, by("password_file", str(path))).external.password.reveal() == " two words "


def test_a_password_is_read_from_the_environment(tmp_path: Path) -> None:
    loaded = load(tmp_path, {}, ENVIRON | {"EXTERNAL_PASSWORD": PASSWORD})
    assert (loaded.external.password.reveal(), loaded.internal.password.reveal()) == (PASSWORD, "two")


def test_a_password_is_read_from_a_credential_of_systemd(tmp_path: Path) -> None:
    secret_file(tmp_path, mode=0o440)
    loaded = load(tmp_path, by("password_credential", "secret"), ENVIRON | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert loaded.external.password.reveal() == PASSWORD


def test_a_token_is_read_like_a_password(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"external.login": "token", "external.username": GONE})
    assert loaded.external.login is Login.TOKEN
    assert loaded.external.password.reveal() == "one"


@pytest.mark.parametrize(
    ("contents", "mode", "what"),
    [
        pytest.param(b"x", 0o640, "others may read", id="readable for a group"),
        pytest.param(b"x", 0o604, "others may read", id="readable for all"),
        pytest.param(b"", 0o600, "is empty", id="empty"),
        pytest.param(b"\n", 0o600, "is empty", id="an empty line"),
        pytest.param(b"user\npassword\n", 0o600, "more than one line", id="two lines"),
        pytest.param(b"a\0b", 0o600, "cannot be typed", id="zero"),
        pytest.param(b"\xff\xfe", 0o600, "is not UTF-8", id="no UTF-8"),
        pytest.param(b"x" * 5_000, 0o600, "longer than 4,096 bytes", id="too long"),
    ],
)
def test_a_file_that_is_no_password_is_refused(tmp_path: Path, contents: bytes, mode: int, what: str) -> None:
    secret_file(tmp_path, contents, mode)
    found = faults(tmp_path, by("password_file", "secret"))
    assert list(found) == ["external.password_file"]
    assert what in found["external.password_file"].what


def test_how_to_take_others_rights_away_is_told(tmp_path: Path) -> None:
    path = secret_file(tmp_path, mode=0o644)
    assert faults(tmp_path, by("password_file", "secret"))["external.password_file"].remedy == f"Run chmod 600 {path}."


@pytest.mark.parametrize(
    ("way", "name", "what"),
    [
        ("password_file", "nowhere", "No such file"),
        ("password_file", ".", "directory"),
        ("password_file", "a\0b", "not a path"),
        ("password_env", "NOWHERE", "that it names is not set"),
        ("password_credential", "external", "CREDENTIALS_DIRECTORY is not set"),
        ("password_credential", "../external", "cannot be a credential's name"),
        ("password_credential", "", "cannot be a credential's name"),
    ],
)
def test_a_password_that_is_not_there_is_told(tmp_path: Path, way: str, name: str, what: str) -> None:
    found = faults(tmp_path, by(way, name))
    assert list(found) == [f"external.{way}"]
    assert what in found[f"external.{way}"].what


def test_a_credential_that_systemd_was_not_told_of(tmp_path: Path) -> None:
    found = faults(tmp_path, by("password_credential", "external"), ENVIRON | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "cannot be read: No such file" in found["external.password_credential"].what


def test_who_asks_no_server_needs_no_password_of_one(tmp_path: Path) -> None:
    changes = {**by("password_file", "nowhere"), "internal.password_env": GONE}
    found = faults(tmp_path, changes)
    assert list(found) == ["external.password_file", "internal.password_file"]
    assert load(tmp_path, changes, servers=False).unread == tuple(found.values())
    assert len(faults(tmp_path, changes | {"scope.since": "soon"}, servers=False)) == 3


def test_an_empty_variable_is_no_password(tmp_path: Path) -> None:
    found = faults(tmp_path, {}, ENVIRON | {"EXTERNAL_PASSWORD": ""})
    assert "EXTERNAL_PASSWORD is empty" in found["external.password_env"].what


def test_two_passwords_for_one_server_are_one_too_many(tmp_path: Path) -> None:
    found = faults(tmp_path, {"external.password_file": "secret"})
    assert found["external.password_env"].what == "password_file and password_env both name a password"
    found = faults(tmp_path, {"external.password_file": "secret", "external.password_credential": "x"})
    assert found["external.password_credential"].what == "three keys name a password"


def test_the_store_takes_its_password_apart(tmp_path: Path) -> None:
    changes = {"store.url": "postgresql://me@db.example.com:5433/itopsync?sslmode=require", "store.password_env": "STORE"}
    loaded = load(tmp_path, changes, ENVIRON | {"STORE": "p@ss:/?#w"})
    assert loaded.store_url == "postgresql://me:p%40ss%3A%2F%3F%23w@db.example.com:5433/itopsync?sslmode=require"


def test_a_store_without_a_password_is_left_as_it_is(tmp_path: Path) -> None:
    assert load(tmp_path, {"store.url": "postgresql:///itopsync"}).store_url == "postgresql:///itopsync"


def test_a_file_of_sqlite_lies_beside_the_configuration(tmp_path: Path) -> None:
    assert load(tmp_path, {}).store_url == f"sqlite:///{tmp_path / 'store.sqlite'}"
    assert load(tmp_path, {"store.url": "sqlite:////var/x.db?timeout=3"}).store_url == "sqlite:////var/x.db?timeout=3"


def test_no_password_shows_in_what_is_loaded(tmp_path: Path) -> None:
    changes = {"store.url": "postgresql://me@host/db", "store.password_env": "STORE"}
    loaded = load(tmp_path, changes, dict.fromkeys((*ENVIRON, "STORE"), PASSWORD))
    assert PASSWORD not in repr(loaded)
    assert "p%C3%A4" not in repr(loaded)
    assert PASSWORD not in repr(loaded.external.model_dump())


def test_no_password_shows_in_a_fault(tmp_path: Path) -> None:
    secret_file(tmp_path, PASSWORD.encode() + b"\nmore")
    found = faults(tmp_path, {**by("password_file", "secret"), "store.url": f"postgresql//me:{PASSWORD}@host"})
    assert PASSWORD not in " ".join(map(str, found.values()))


SLIP = "hunter2-SECRET"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((f"{table}.{way}", SLIP) for table in ("external", "store", "hooks.webhook") for way in WAYS),
        *((f"external.{way}", [SLIP]) for way in WAYS),
        ("external.password_credential", f"a/{SLIP}"),
        ("external.url", SLIP),
        ("external.url", f"https:/me:{SLIP}@desk.example.com"),
        ("external.url", f"https://desk.example.com/itop?auth_pwd={SLIP}"),
        ("internal.public_url", f"https://desk.example.com/itop#{SLIP}"),
        ("external.allow_http", f"me:{SLIP}@desk.example.com"),
        ("store.url", f"postgres:me {SLIP}"),
        ("hooks.webhook.url", f"desk.example.com/{SLIP}"),
        ("hooks.command", f"/bin/false --token {SLIP}"),
        ("hooks.command", [f"/bin/false --token {SLIP}"]),
        ("hooks.command", [f"curl -H {SLIP}"]),
    ],
)
def test_what_people_put_where_a_secret_may_stand_is_never_quoted(tmp_path: Path, key: str, value: object) -> None:
    named = key.startswith("external.password_") and key != "external.password_env"
    found = faults(tmp_path, {"external.password_env": GONE, key: value} if named else {key: value})
    assert found
    assert SLIP not in "".join(map(str, found.values()))
