"""The page on the simulator: its examples run, one after the other, and it names every fault."""

import re
from pathlib import Path

from itopsync.simulator import FaultKind

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "simulator.md").read_text("utf-8")


def test_the_examples_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert examples
    exec(compile("\n".join(examples), "simulator.md", "exec"), {})


def test_every_fault_is_named() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_0-9]+)`", PAGE))
    assert {kind.name for kind in FaultKind} <= named
