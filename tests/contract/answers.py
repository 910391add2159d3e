"""How the answers of the versions differ: what the tests expect of a server, simulated or real, by its version.

What becomes of HTML stands with its cases, in ``test_html.py``.
"""

import re
from dataclasses import dataclass, field, replace

from itopsync.simulator import Version
from tests.simulator.caller import Json


@dataclass(frozen=True)
class Answers:
    """What one version answers."""

    named: str = "'{code}'"
    """How a refusal names an attribute, by {label} and {code}."""
    unsaved: str = ""
    """The id in a refusal of what is not saved yet."""
    counts_bytes: bool = True
    quotes_queries: bool = True
    drops_blanks: bool = False
    apostrophe: str = "&#039;"
    """How one is written in text shown as HTML."""
    with_a_file: Json = field(default_factory=dict)
    """What is told of a file besides its name and contents."""
    nobody_written: str = " "
    """The full name of nobody, in the answer to a write."""
    takes_json_as_a_file: bool = False
    signs_uploads: bool = False
    parent: str = "[[User Request:{ref}]]"
    """How the solution of a child names its parent, by {id} and {ref}."""
    doubles_ampersands: bool = True
    solution_is_html: bool = False
    keeps_the_size_of_pictures: bool = False
    crashes_in_escalated_tto: bool = False
    copies_unchanged: bool = True

    def issue(self, label: str, code: str, problem: str) -> str:
        """A refusal of a value, in words."""
        return f"Unexpected value for attribute {self.named.format(label=label, code=code)}: {problem}"

    def length(self, text: str) -> int:
        return len(text.encode() if self.counts_bytes else text)

    def shown(self, text: str) -> str:
        """A text as it arrives."""
        return re.sub("> +<", "><", text) if self.drops_blanks else text


_2_7 = Answers()
_3_0 = replace(
    _2_7, named="'{label}' ({code}) ", unsaved="-1", quotes_queries=False, drops_blanks=True, takes_json_as_a_file=True
)
_3_1 = replace(
    _3_0,
    counts_bytes=False,
    quotes_queries=True,
    drops_blanks=False,
    apostrophe="&apos;",
    with_a_file={"downloads_count": 0},
    nobody_written="",
    signs_uploads=True,
)
_3_2 = replace(
    _3_1,
    parent="[[UserRequest:{id}|{ref}]]",
    doubles_ampersands=False,
    solution_is_html=True,
    keeps_the_size_of_pictures=True,
    crashes_in_escalated_tto=True,
)
_3_3 = replace(_3_2, crashes_in_escalated_tto=False, copies_unchanged=False)

ANSWERS: dict[Version, Answers] = {"2.7": _2_7, "3.0": _3_0, "3.1": _3_1, "3.2": _3_2, "3.3": _3_3}
