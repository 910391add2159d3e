"""Where a configuration is looked for, and what is said of a file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopsync import config
from itopsync.config import loader
from itopsync.errors import ConfigurationError, Fault


def told(path: Path) -> Fault:
    """The one fault of a file."""
    with pytest.raises(ConfigurationError) as caught:
        config.load(path, {})
    (fault,) = caught.value.faults
    return fault


def test_the_named_file_goes_before_the_variable_and_that_before_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, named = (tmp_path / name for name in ("sync.toml", "there.toml", "named.toml"))
    for path in (here, there, named):
        path.touch()
    monkeypatch.chdir(tmp_path)
    environ = {"ITOPSYNC_CONFIG": str(there)}
    assert config.find(named, environ) == named
    assert config.find(None, environ) == there
    assert config.find(None, {}).absolute() == here


def test_all_the_places_that_were_looked_at_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loader, "PLACES", (Path("sync.toml"), tmp_path / "etc" / "sync.toml"))
    with pytest.raises(ConfigurationError, match="itopsync init") as caught:
        config.find(None, {})
    assert caught.value.faults[0].where == f"{tmp_path / 'sync.toml'}, {tmp_path / 'etc' / 'sync.toml'}"


@pytest.mark.parametrize("name", ["nowhere.toml", "a\0b", "x" * 300])
def test_a_named_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no configuration"):
        config.find(tmp_path / name, {})


def test_malformed_toml_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_text('pair = "acme"\n[external]\nurl = https://example.com\n')
    fault = told(path)
    assert fault.where == f"{path}: line 3, column 7"
    assert fault.what.startswith("malformed TOML: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param('pair = "acme', "line 1, column 13", id="at the end of the file"),
        pytest.param("[scope]\n[scope]\n", "line 2, column 7", id="a table twice"),
        pytest.param("a = 1\na = 2\n", "line 2, column 6", id="a key twice"),
    ],
)
def test_where_toml_ends_to_be_toml(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "sync.toml"
    path.write_text(text)
    assert told(path).where == f"{path}: {place}"


def test_what_is_not_utf8_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_bytes('pair = "acme"\n# über '.encode() + b"\xfc\n")
    fault = told(path)
    assert (fault.where, fault.what) == (f"{path}: line 2, column 8", "malformed TOML: this is not UTF-8")


def test_a_mark_of_byte_order_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_bytes(b"\xef\xbb\xbfpear = 1\n")
    with pytest.raises(ConfigurationError, match="Did you mean pair"):
        config.load(path, {})


@pytest.mark.parametrize(
    ("contents", "what"),
    [
        pytest.param(b"#" * (loader.LONGEST_FILE + 1), "longer than 1,000,000 bytes", id="too long"),
        pytest.param(b"a = " + b"[" * 100_000, "nested too deeply", id="too deep"),
        pytest.param(b"a = " + b"9" * 5_000, "4300", id="a number too long"),
    ],
)
def test_what_is_no_configuration_at_all(tmp_path: Path, contents: bytes, what: str) -> None:
    path = tmp_path / "sync.toml"
    path.write_bytes(contents)
    fault = told(path)
    assert fault.where == str(path)
    assert what in fault.what


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in told(tmp_path).what


def test_every_fault_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_text('pair = "a\\nb"\n"new\\nline" = 3\n"\\u001b[31m" = 3\n[external]\nurl = "a\\nb"\n')
    with pytest.raises(ConfigurationError) as caught:
        config.load(path, {})
    assert len(str(caught.value).splitlines()) == len(caught.value.faults)
    assert all(str(fault).isprintable() for fault in caught.value.faults)
