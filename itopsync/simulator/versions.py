"""The simulated versions of iTop, each described by its differences from the one before.

2.7.11, 3.0.4, 3.1.2 and 3.2.0 were tested on running servers, by ``tests/contract``. The description of 3.3 is from its release
notes. The HTML that they allow is in ``version_html.py``, their data models' differences in ``version_model.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from itopsync.simulator.version_html import WHITE_LISTS, WhiteList

Version = Literal["2.7", "3.0", "3.1", "3.2", "3.3"]


@dataclass(frozen=True, slots=True)
class Traits:
    """The behaviour of one version, besides its data model."""

    version: Version
    white_list: WhiteList
    takes_files: bool = False
    """``json_data`` may be an uploaded file."""
    checks_shown: bool = False
    """If a query searches another class than the one that names the fields, that class must have them too."""
    wraps_query_errors: bool = False
    """A refusal of a query quotes it."""
    zero_is_a_key: bool = False
    """An external key of 0 satisfies a state's demand, as on PHP 8. 2.7 is made for PHP 7, which was not tested."""
    shows_labels: bool = False
    """A refused value is named by its attribute's label and code, not by the code alone, and a new object has the id -1."""
    counts_characters: bool = False
    """The length of a text is in characters, not in bytes."""
    drops_blanks: bool = False
    """Blanks between ``>`` and ``<`` are dropped from every answer."""
    counts_downloads: bool = False
    """A file is shown with a count of its downloads."""
    html5_entities: bool = False
    """Plain text shown as HTML has ``&apos;``, not ``&#039;``."""
    rereads_written: bool = True
    """A write is answered from the database, not from memory: there, an empty key has no name, and a new object's has a class."""
    signs_uploads: bool = False
    """An attachment created by a client gets a date and an author."""
    parent_by_id: bool = False
    """A child's solution names its parent by id."""
    doubles_ampersands: bool = True
    """HTML, except in logs, is shown with each ``&`` written as ``&amp;``."""
    old_text: bool = True
    """HTML is converted to plain text by the converter that 3.2 replaced."""
    copied: str = ""
    """What precedes an entry copied from a parent, with {class_name}, {id} and {ref}."""


# 2.7.11 quotes a refused query; 2.7.10 does not, nor does 3.0.4.
_2_7 = Traits("2.7", WHITE_LISTS["2.7"], wraps_query_errors=True)
_3_0 = replace(
    _2_7,
    version="3.0",
    white_list=WHITE_LISTS["3.0"],
    takes_files=True,
    checks_shown=True,
    wraps_query_errors=False,
    zero_is_a_key=True,
    shows_labels=True,
    drops_blanks=True,
)
_3_1 = replace(
    _3_0,
    version="3.1",
    white_list=WHITE_LISTS["3.1"],
    wraps_query_errors=True,
    counts_characters=True,
    drops_blanks=False,
    counts_downloads=True,
    html5_entities=True,
    rereads_written=False,
    signs_uploads=True,
)
_3_2 = replace(_3_1, version="3.2", white_list=WHITE_LISTS["3.2"], parent_by_id=True, doubles_ampersands=False, old_text=False)
# N°9160: a prefix is known to exist, but not its wording. Here it is a separate paragraph before everything else.
_3_3 = replace(_3_2, version="3.3", white_list=WHITE_LISTS["3.3"], copied="<p>Copied from [[{class_name}:{id}|{ref}]]</p>")

VERSIONS: dict[Version, Traits] = {traits.version: traits for traits in (_2_7, _3_0, _3_1, _3_2, _3_3)}
DEFAULT: Version = "3.2"
