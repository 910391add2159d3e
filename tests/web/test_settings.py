"""``web.toml``: nothing that would let a stranger in can be written, and all that is wrong is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from itopsync.errors import ConfigurationError
from itopsync.settings.section import Section, section_in
from itopsync.web import pairs, settings
from itopsync.web.settings import WebFile
from tests.web.desk import PROXY, Desk

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "web.md").read_text()
PAIRS = 'pairs = ["sync.toml"]\n'
SIGNED = '[proxy]\npeers = ["unix"]\n'


def faults(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "web.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        settings.load(path, {})
    return [str(fault).removeprefix(f"{path}: ") for fault in raised.value.faults]


@pytest.mark.parametrize("listen", ["0.0.0.0:8642", "[::]:8642", "192.0.2.1:80", "bridge.example.com:80"])
def test_nobody_from_elsewhere_looks_without_a_name(tmp_path: Path, listen: str) -> None:
    text = f'{PAIRS}listen = "{listen}"\norigin = "https://bridge.example.com"\n'
    assert faults(tmp_path, text) == [
        "listen: others could look too, without a name. Write 127.0.0.1, or add [proxy] or [accounts]."
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "pairs: it is missing"),
        (PAIRS + 'listen = "8642"', "listen: '8642' is not an address with a port"),
        (PAIRS + 'listen = "unix:web.sock"', "listen: a socket is named by its whole path"),
        (PAIRS + 'listen = "unix:/run/web.sock"\n' + SIGNED, "listen: it is not known by what name people reach it"),
        (PAIRS + 'origin = "bridge.example.com"', "origin: 'bridge.example.com' is no origin"),
        (PAIRS + 'origin = "https://a.example/x"', "origin: 'https://a.example/x' is no origin"),
        (PAIRS + 'origin = "https://a.example:99999"', "origin: 'https://a.example:99999' is no origin"),
        (PAIRS + 'origin = "http://a.example"', "origin: over http:// sessions and passwords travel in clear"),
        (PAIRS + '[roles]\noperators = ["a"]', "roles: nobody has a name"),
        (PAIRS + "[proxy]", "proxy: it is trusted from nowhere"),
        (PAIRS + '[proxy]\npeers = ["nginx"]', "proxy.peers: 'nginx' is no address"),
        (PAIRS + '[proxy]\npeers = ["unix"]\nuser_header = "X User"', "proxy.user_header: 'X User' is not valid"),
        (PAIRS + "[accounts]", "accounts: no file is named"),
        (PAIRS + '[accounts]\nfile = "a"\n' + SIGNED, "proxy: accounts and a proxy both say who somebody is"),
        (PAIRS + '[accounts]\nfile = "a"\nidle = "0s"', "accounts.idle: "),
        (PAIRS + "[stores.acme]", "stores: a store has no address"),
        (PAIRS + 'lisen = "x"', "lisen: there is no such key. Did you mean listen?"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(tmp_path: Path, text: str, told: str) -> None:
    found = faults(tmp_path, text)
    assert any(fault.startswith(told) for fault in found), found


def test_every_key_is_on_the_page() -> None:
    def keys(section: type[Section], before: str = "") -> set[str]:
        found: set[str] = set()
        for name, info in section.model_fields.items():
            inner = section_in(info.annotation)
            place = f"{before}{name}." + ("PAIR." if name == "stores" else "")
            found |= keys(inner, place) if inner else {f"{before}{name}"}
        return found

    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE.partition("## All keys")[2], re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`([^`]+)`", row)} == keys(WebFile)


@pytest.mark.parametrize("shown", re.findall(r"```toml\n(pairs = .+?)```", PAGE, re.DOTALL))
def test_the_configuration_that_is_shown_can_be_loaded(shown: str, tmp_path: Path) -> None:
    (tmp_path / "web.toml").write_text(shown)
    loaded = settings.load(tmp_path / "web.toml", {})
    assert str(loaded.file.socket) == "/run/itopsync-web/web.sock"
    assert loaded.pairs == (Path("/etc/itopsync/sync.toml"),)


def test_a_pair_is_shown_once_and_no_other_store_is_named(desk: Desk) -> None:
    for web, told in (
        (PROXY, "its pair 'demo' is shown already"),
        (PROXY + '[stores.acme]\nurl = "postgresql://web@localhost/x"\n', "there is no such pair"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            desk.configure(web, *([desk.pair] if "stores" not in web else []))


def test_a_store_on_postgresql_wants_a_user_of_the_consoles_own(desk: Desk) -> None:
    sqlite = f"sqlite:///{desk.folder / 'store.sqlite'}"
    desk.pair.write_text(desk.pair.read_text().replace(sqlite, "postgresql://itopsync@localhost/x"))
    with pytest.raises(ConfigurationError, match="its own user may write all"):
        desk.configure(PROXY)
    (desk.folder / "web-password").write_text("secret")
    (desk.folder / "web-password").chmod(0o600)
    desk.configure(PROXY + '[stores.demo]\nurl = "postgresql://web@localhost/x"\npassword_file = "web-password"\n')
    watched = pairs.load(settings.load(desk.folder / "web.toml", {}), {})["demo"]
    assert watched.store_url == "postgresql://web:secret@localhost/x"
    assert "secret" not in repr(watched)
