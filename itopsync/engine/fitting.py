"""How much one request may carry, after what the servers have refused as too large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.rules import Rules


def fitting(rules: Rules, servers: Mapping[Side, Server]) -> Rules:
    """The rules with half of the smallest request that a side refused, where that is less than they allow."""
    sides = {}
    for side in Side:
        known, refused = rules.side(side), servers[side].refused_bytes
        narrow = refused is not None and refused // 2 < known.request_bytes
        sides[side] = replace(known, request_bytes=refused // 2) if refused is not None and narrow else known
    return replace(rules, external=sides[Side.EXTERNAL], internal=sides[Side.INTERNAL])
