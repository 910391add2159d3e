"""A fragment of HTML as plain text, for an attribute that is plain text on one of the servers."""

from __future__ import annotations

import re

from itopsync.reconcile.markup import BLOCKS, Close, Open, Text, read

_ADDRESS = re.compile(r"\w[\w+.-]*:")


def as_text(fragment: str) -> str:
    """The text of a *fragment*: a line for each block, list items with numbers or dashes, pictures as words.

    A link's address follows its words, after anything attached to them, so that no word is split.
    """
    text = _PlainText()
    for piece in read(fragment):
        match piece:
            case Text():
                text.say(" ".join(re.split(r"\s+", piece.text)))
            case Open():
                text.begin(piece)
            case Close():
                text.end(piece.tag)
    return text.whole()


class _PlainText:
    """The text so far, and what to insert at the next opportunity."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._item = ""
        """The number or dash to put before the next words, the first of a list item."""
        self._lists: list[int | None] = []
        """For each open list, the number of the next item, or None if it is not numbered."""
        self._links: list[tuple[str, int]] = []
        """For each open link, its address, and the part at which its words begin."""
        self._addresses: list[str] = []
        """The addresses of closed links, to be inserted at the next blank."""

    def say(self, text: str) -> None:
        if self._item and text.strip():
            self._parts.append(self._item)
            self._item, text = "", text.lstrip()
        if self._addresses:
            word, blank, text = text.partition(" ")
            self._parts.append(word)
            if blank:
                self._tell_addresses()
            text = blank + text
        self._parts.append(text)

    def begin(self, piece: Open) -> None:
        if piece.tag == "img":
            self.say(f"[picture: {piece.attributes.get('alt') or '?'}]")
        elif piece.tag == "a":
            self._links.append((piece.attributes.get("href", "").strip(), len(self._parts)))
        elif piece.tag == "br" or piece.tag in BLOCKS:
            self._break()
        if piece.tag in ("ol", "ul"):
            self._lists.append(_number(piece, "start", 1) if piece.tag == "ol" else None)
        elif piece.tag == "li":
            self._begin_item(piece)

    def end(self, tag: str) -> None:
        if tag == "a" and self._links:
            address, begin = self._links.pop()
            words = "".join(self._parts[begin:]).strip()
            if words and _ADDRESS.match(address) and _bare(words) != _bare(address):
                self._addresses.append(address)
        elif tag in BLOCKS and tag != "li":  # the next item starts a new line
            self._break()
        if tag in ("ol", "ul") and self._lists:
            self._lists.pop()

    def whole(self) -> str:
        self._tell_addresses()
        lines = (line.strip() for line in "".join(self._parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _break(self) -> None:
        self._tell_addresses()
        self._parts.append("\n")

    def _begin_item(self, piece: Open) -> None:
        next_number = self._lists[-1] if self._lists else None
        if next_number is None:
            self._item = "- "
            return
        number = _number(piece, "value", next_number)
        self._item, self._lists[-1] = f"{number}. ", number + 1

    def _tell_addresses(self) -> None:
        self._parts += (f" ({address})" for address in self._addresses)
        self._addresses = []


def _number(piece: Open, name: str, otherwise: int) -> int:
    text = piece.attributes.get(name, "")
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else otherwise


def _bare(address: str) -> str:
    """An address as people type it."""
    return re.sub(r"^(?:https?://|mailto:|tel:)|/$", "", address, flags=re.IGNORECASE)
