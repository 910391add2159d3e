"""Sweeps that take long: `make test` takes every third step or so of one, and `make torture` each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest


def in_steps_of(step: int) -> pytest.MarkDecorator:
    """A test of a sweep, which takes the argument ``step``."""
    whole = pytest.param(1, id="all", marks=pytest.mark.torture)
    return pytest.mark.parametrize("step", [pytest.param(step, id="some"), whole])


def some(values: Sequence[object], step: int) -> list[object]:
    """*values* to parametrise a test with; those between the steps are for the torture."""
    return [pytest.param(value, marks=() if place % step == 0 else pytest.mark.torture) for place, value in enumerate(values)]
