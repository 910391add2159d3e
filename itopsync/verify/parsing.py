"""The standard library's HTML parser, in linear time."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_MOST_UNFINISHED = 10


class Parser(HTMLParser):
    """Parses a whole fragment of HTML.

    For each tag or comment that never ends, the standard library reads on to the end of the text. After the first ten, the
    rest of the text counts as words, except for anything that looks like a tag.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._unfinished = 0

    @property
    def is_broken(self) -> bool:
        """Whether the rest of the text was counted as words."""
        return self._unfinished > _MOST_UNFINISHED

    def parse(self, fragment: str) -> None:
        """Read the whole of *fragment*."""
        self.feed(fragment)
        self.close()

    def parse_starttag(self, i: int) -> int:
        """As in the standard library."""
        return self._end(i, super().parse_starttag(i))

    def parse_endtag(self, i: int) -> int:
        """As in the standard library."""
        return self._end(i, super().parse_endtag(i))

    def parse_comment(self, i: int, report: bool = True) -> int:
        """As in the standard library."""
        return self._end(i, super().parse_comment(i, report))

    def parse_pi(self, i: int) -> int:
        """As in the standard library."""
        return self._end(i, super().parse_pi(i))

    def parse_html_declaration(self, i: int) -> int:
        """As in the standard library."""
        return self._end(i, super().parse_html_declaration(i))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """As in browsers, up to the next ``>``: the standard library fails on sections that it does not know."""
        return self.parse_bogus_comment(i, report)

    def _end(self, begin: int, end: int) -> int:
        """The end of the tag or the like at *begin*; *end* is what the standard library found, negative if it found none."""
        self._unfinished += end < 0
        if end >= 0 or not self.is_broken:
            return end
        self.handle_data(html.unescape(re.sub(r"<[^<>]*>", "", self.rawdata[begin:])))
        return len(self.rawdata)
