"""The cassettes themselves: complete, small, and without a secret."""

import ast
import inspect
import json
from pathlib import Path

import pytest

from itopsync.itop.server import Server
from tests.itop.stage import CASSETTES, KEPT_HEADERS, VERSIONS, NotRecorded, exchanges, staged

FILES = sorted(CASSETTES.glob("*/*.yaml"))
TESTS = [ast.parse(path.read_text()) for path in sorted(Path(__file__).parent.glob("test_real_*.py"))]
HELPERS = ast.parse((Path(__file__).parent / "tickets.py").read_text())


def test_each_cassette_has_its_test() -> None:
    tests = {node.name for tree in TESTS for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    recorded = {f"test_{path.stem.partition('-')[0]}" for path in FILES}
    assert recorded == {name for name in tests if name.startswith("test_")}


def test_each_version_has_its_cassettes() -> None:
    assert {path.parent.name for path in FILES} == set(VERSIONS)


def test_every_operation_of_a_server_is_recorded() -> None:
    offered = {name for name, _ in inspect.getmembers(Server, inspect.isfunction) if not name.startswith("_")} - {"close"}
    used = {node.attr for tree in (*TESTS, HELPERS) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert offered - used == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_cassette_is_small_and_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert len(text) < 20_000
    for secret in ("auth_user", "auth_pwd", "Authorization", "Auth-Token", "Cookie", "cassette-", "127.0.0.1"):
        assert secret.lower() not in text.lower()
    for exchange in exchanges(path):
        assert exchange["request"]["headers"] == {}
        assert exchange["response"]["headers"].keys() <= KEPT_HEADERS
        if exchange["request"]["method"] == "POST":
            assert "operation" in json.loads(exchange["request"]["body"])


def test_what_was_not_recorded_fails() -> None:
    with (
        pytest.raises(AssertionError, match="was not asked for"),
        staged("login_by_token") as stage,
        pytest.raises(NotRecorded),
    ):
        stage.server().count("UserRequest", "SELECT UserRequest")
