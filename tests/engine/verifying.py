"""Verifying on a rig: what a comparison without the planner finds, and what the planner would do."""

from __future__ import annotations

from itopsync.cli.verifying import Verified, verify
from tests.engine.rig import Rig


def verified(rig: Rig, *, deep: bool = True) -> list[Verified]:
    """Every linked pair of tickets by both views."""
    return list(verify(rig.inspector, deep=deep))


def compared(rig: Rig, *, deep: bool = True) -> list[str]:
    """What differs by the comparison."""
    found = [result.findings for result in verified(rig, deep=deep) if result.findings is not None]
    return [f"{findings.link.external}: {difference.what}" for findings in found for difference in findings.differences]


def excused(rig: Rig) -> list[tuple[str, str]]:
    """What differs for a known reason: the item's kind, and why."""
    found = [result.findings for result in verified(rig) if result.findings is not None]
    return [(difference.item.partition(":")[0], difference.what) for findings in found for difference in findings.excused]
