"""A sweep of which `make test` takes every so-manieth step, and `make torture` each: all of it takes long."""

from __future__ import annotations

import pytest


def in_steps_of(step: int) -> pytest.MarkDecorator:
    """A test of a sweep, which takes the argument ``step``."""
    whole = pytest.param(1, id="all", marks=pytest.mark.torture)
    return pytest.mark.parametrize("step", [pytest.param(step, id="some"), whole])


def some(values: range, step: int) -> list[object]:
    """*values* to parametrise a test with; those between the steps are for the torture."""
    return [pytest.param(value, marks=() if place % step == 0 else pytest.mark.torture) for place, value in enumerate(values)]
