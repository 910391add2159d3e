"""The alert rules and the dashboard ask for metrics and labels that there are, in PromQL that can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import Metric

from itopsync.watch.metrics import Metrics

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "monitoring"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FILES / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((FILES / "grafana.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
PAGE = (ROOT / "docs" / "how-to" / "monitor.md").read_text()
METRICS = Metrics("demo", lambda: datetime(2026, 11, 24, tzinfo=UTC))
FAMILIES: dict[str, Metric] = {family.name: family for family in METRICS.registry.collect()}
LABELS = {family: set(metric._labelnames) for family, metric in vars(METRICS).items() if hasattr(metric, "_labelnames")}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
NAMES = {f"{family.name}{suffix}": family.name for family in FAMILIES.values() for suffix in SUFFIXES[family.type]}
"""Every name that can be asked for, and its family."""
OUR_LABELS = {
    metric._name: set(metric._labelnames) | ({"le"} if metric._type == "histogram" else set())
    for metric in vars(METRICS).values()
    if hasattr(metric, "_labelnames")
}
BY_OTHERS = {"instance", "job"}
"""Labels that Prometheus itself gives."""

EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]},
}


def plain(expression: str) -> str:
    """As Prometheus gets it from Grafana."""
    return expression.replace("$__rate_interval", "5m").replace("$pair", "demo")


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric that is asked for, with the labels that it is picked by."""
    for name, inside in re.findall(r"\b((?:itopsync|process)_\w+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_expression_is_promql_and_asks_for_what_there_is(where: str) -> None:
    expression = EXPRESSIONS[where]
    promql_parser.parse(plain(expression))
    found = list(selectors(expression))
    assert found
    for name, labels in found:
        assert name in NAMES, f"there is no metric {name}"
        assert labels <= OUR_LABELS.get(NAMES[name], set()) | BY_OTHERS, f"{name} has no label among {labels}"


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_what_is_grouped_by_is_a_label_of_what_is_asked_for(where: str) -> None:
    expression = EXPRESSIONS[where]
    grouped = {label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in re.split(r",\s*", group)}
    there = set().union(*(OUR_LABELS.get(NAMES[name], set()) for name, _ in selectors(expression))) | BY_OTHERS
    assert grouped <= there


@pytest.mark.parametrize(
    "expression", ["rate(itopsync_cycles_total[5m]", "itopsync_cycles_total{pair=}", "sum by itopsync_links"]
)
def test_what_is_no_promql_would_be_found(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(expression)


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_every_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert {"summary", "description"} == rule["annotations"].keys()
    asked = [NAMES[name] for name, _ in selectors(rule["expr"])]
    shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert shown <= set.union(*(OUR_LABELS[name] for name in asked))
    assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))


def test_no_two_alerts_and_no_two_panels_share_a_name_or_a_place() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_what_the_dashboard_names_in_its_legends_is_a_label() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            there = set().union(*(OUR_LABELS.get(NAMES[name], set()) for name, _ in selectors(target["expr"])))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= there, panel["title"]


def test_every_metric_is_explained_on_the_page_and_shown_or_alarmed_on() -> None:
    ours = {name for name in FAMILIES if name.startswith("itopsync_")}
    told = set(re.findall(r"^\| `(itopsync_\w+)", PAGE, re.MULTILINE))
    assert told == {f"{name}_total" if FAMILIES[name].type == "counter" else name for name in ours}
    asked = {NAMES[name] for expression in EXPRESSIONS.values() for name, _ in selectors(expression)}
    assert ours - asked == set()


def test_every_alert_is_explained_on_the_page() -> None:
    assert set(re.findall(r"^\| `(Itopsync\w+)`", PAGE, re.MULTILINE)) == {rule["alert"] for rule in RULES}


def test_what_is_alarmed_on_as_an_increase_is_there_before_it_happens() -> None:
    """Prometheus sees no increase in a count that begins at one."""
    for rule in RULES:
        for name in re.findall(r"increase\((itopsync_\w+)", rule["expr"]):
            assert FAMILIES[NAMES[name]].samples, name
