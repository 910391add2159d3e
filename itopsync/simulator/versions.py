"""The simulated versions of iTop, each described by its differences from the one before.

3.1.2 and 3.2.0 were tested on running servers. The descriptions of 2.7 and 3.0 are from their sources (2.7.9, 3.0.4), that of 3.3
is from its release notes. The HTML that they allow is in ``version_html.py``, their data models' differences in
``version_model.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from itopsync.simulator.version_html import WHITE_LISTS, WhiteList

Version = Literal["2.7", "3.0", "3.1", "3.2", "3.3"]


@dataclass(frozen=True, slots=True)
class Traits:
    """The behaviour of one version, besides its data model.

    ``takes_files``: ``json_data`` may be an uploaded file. ``checks_shown``: if a query searches another class than the one that
    names the fields, that class must have them too. ``wraps_query_errors``: a refusal of a query quotes it. ``zero_is_a_key``: an
    external key of 0 satisfies a state's demand (PHP 8; 2.7 runs on PHP 7). ``signs_uploads``: an attachment created by a client
    gets a date and an author. ``parent_by_id``: a child's solution names its parent by id. ``doubles_ampersands``: HTML, except
    in logs, is returned with each ``&`` written as ``&amp;``. ``old_text``: HTML is converted to plain text by the converter that
    3.2 replaced. ``copied``: what precedes an entry copied from a parent, with {class_name}, {id} and {ref}.
    """

    version: Version
    white_list: WhiteList
    takes_files: bool = False
    checks_shown: bool = False
    wraps_query_errors: bool = False
    zero_is_a_key: bool = False
    signs_uploads: bool = False
    parent_by_id: bool = False
    doubles_ampersands: bool = True
    old_text: bool = True
    copied: str = ""


_2_7 = Traits("2.7", WHITE_LISTS["2.7"])
_3_0 = replace(
    _2_7, version="3.0", white_list=WHITE_LISTS["3.0"], takes_files=True, checks_shown=True, zero_is_a_key=True
)  # fmt: skip
_3_1 = replace(_3_0, version="3.1", white_list=WHITE_LISTS["3.1"], wraps_query_errors=True, signs_uploads=True)
_3_2 = replace(
    _3_1, version="3.2", white_list=WHITE_LISTS["3.2"], parent_by_id=True, doubles_ampersands=False, old_text=False
)  # fmt: skip
# N°9160: a prefix is known to exist, but not its wording. Here it is a separate paragraph before everything else.
_3_3 = replace(
    _3_2, version="3.3", white_list=WHITE_LISTS["3.3"], copied="<p>Copied from [[{class_name}:{id}|{ref}]]</p>"
)  # fmt: skip

VERSIONS: dict[Version, Traits] = {traits.version: traits for traits in (_2_7, _3_0, _3_1, _3_2, _3_3)}
DEFAULT: Version = "3.2"
