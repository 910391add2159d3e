"""The HTML of descriptions and log entries: what it says, which pictures it shows, and how it reads on the other server.

iTop sanitises HTML when storing it and rewrites image addresses when reading it, so nothing here relies on either staying
as written.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from itopsync.errors import clip
from itopsync.model import Ref
from itopsync.reconcile.addresses import find, is_invisible, trimmed
from itopsync.reconcile.gate import guard, name_words
from itopsync.reconcile.images import AttachedImage, PictureSource, identity, name_of, source_of, with_identities
from itopsync.reconcile.markers import MARK, digest, picture_marker, prefix
from itopsync.reconcile.markup import BLOCKS, Open, Piece, Text, read
from itopsync.reconcile.normalising import normalise
from itopsync.reconcile.plaintext import as_text
from itopsync.reconcile.whitelist import PICTURE_SCHEME, write

_PICTURE = "\N{OBJECT REPLACEMENT CHARACTER}"
_PLACEHOLDER = re.compile(r'(?<=<img src=")itopsync-picture:([A-Za-z0-9_.-]+)')
"""Matches only where :func:`carry` puts a placeholder: what a person writes never counts as one."""
_SHOWN = re.compile(r'<img src="itopsync-picture:([A-Za-z0-9_.-]+)" alt="([^"]*)"[^>]*>')
_LINES = re.compile(r"(?:<p>)?([^<]*(?:<br ?/?>[^<]*)*)(?:</p>)?")
_LINE_BREAK = re.compile(r"<br ?/?>")
_ANCHOR = r"""<a(?:\s[^<>]*)?\sname="([^"<>]*)\""""
_ANYWHERE = re.compile(_ANCHOR)
_HEAD = re.compile(rf"\s*(?:<(?:p|div|span)(?:\s[^<>]*)?>\s*)*{_ANCHOR}")


@dataclass(frozen=True)
class Picture:
    """A picture in a text, and the marker of its copy."""

    marker: str
    source: PictureSource
    alt: str = field(default="", repr=False)


@dataclass(frozen=True)
class Carried:
    """A text as it will read on the other server, with placeholders for pictures until their ids are known."""

    html: str = field(repr=False)
    pictures: tuple[Picture, ...]


def plain(fragment: str) -> str:
    """The words of a fragment of HTML on one line, with a placeholder character for each picture."""
    return _said(fragment, lambda _: _PICTURE)


def _said(fragment: str, picture: Callable[[Mapping[str, str]], str]) -> str:
    if "<" not in fragment:
        text = html.unescape(fragment)
    else:
        said: list[str] = []
        for piece in read(fragment):
            if isinstance(piece, Text):
                said.append(piece.text)
            elif piece.tag == "img":
                said.append(f" {picture(piece.attributes)} " if isinstance(piece, Open) else "")
            elif piece.tag in BLOCKS or piece.tag == "br":
                said.append(" ")
        text = "".join(said)
    return " ".join(normalise("NFC", text).split())


def fingerprint(author_id: str, fragment: str) -> str:
    """The fingerprint of an entry: its author's account, its normalised text and the pictures it shows.

    The date does not count, since the server formats it in its present timezone; nor do picture addresses, which it rewrites.
    """
    return digest(author_id, _said(fragment, lambda attributes: _PICTURE + identity(attributes)))


def value_fingerprint(value: str, *, is_html: bool = False) -> str:
    """The fingerprint of an attribute's value; the pictures that it shows count, but not the addresses that iTop gives them.

    If HTML is nothing but lines of text, only these count: a server upgraded to 3.2 wraps plain text differently from us.
    """
    lines = _LINES.fullmatch(value) if is_html else None
    if lines is not None:
        return digest(re.sub(r"\r\n?", "\n", html.unescape(_LINE_BREAK.sub("\n", lines[1]))))
    return digest(with_identities(value) if "<" in value else value)


def words_fingerprint(value: str, *, is_html: bool) -> str:
    """The fingerprint of an attribute's words, which every server keeps: in a plain text, where it has no HTML there."""
    return digest(" ".join(normalise("NFC", as_text(value) if is_html else value).split()))


def marked(markers: Sequence[str], fragment: str) -> str:
    """Put *markers* into the first line of what we write, as the name of an anchor, which every iTop keeps and none shows.

    They are separated by commas, because PHP's DOM escapes a blank in an anchor's name.
    """
    anchor = f'<a name="{",".join(markers)}"></a>'
    return f"<p>{anchor}{fragment.removeprefix('<p>')}" if fragment.startswith("<p>") else anchor + fragment


def head_words(fragment: str) -> str:
    """The words in the first line of what we write."""
    return plain(fragment.partition("</p>")[0])


def head_markers(fragment: str, pair: str) -> tuple[str, ...]:
    """The markers of *pair* at the head of an entry, in the anchor that it begins with."""
    found = _HEAD.match(fragment) if prefix(pair) in fragment else None
    return tuple(name for name in found[1].split(",") if name.startswith(prefix(pair))) if found else ()


def any_markers(fragment: str) -> tuple[str, ...]:
    """The markers of any pair, anywhere in an entry: iTop 3.3 puts a line before an entry that it copies from a parent."""
    if MARK not in fragment:
        return ()
    return tuple(name for found in _ANYWHERE.finditer(fragment) for name in found[1].split(",") if name.startswith(MARK))


@dataclass(frozen=True)
class Origin:
    """Where a text comes from, as far as its pictures and links require it."""

    ref: Ref
    pair: str
    addresses: tuple[str, ...]
    """The addresses of the origin's pages."""
    attached: Mapping[int, str] = field(default_factory=dict)
    """Id of one of the ticket's own attachments → its counterpart's placeholder. No other attachments are shown."""
    pictures: bool = True
    """Whether pictures become attachments."""


def carry(fragment: str, origin: Origin) -> Carried:
    """Convert *fragment* for the other server.

    Pictures become placeholders (:func:`fill`) if they are embedded in the text, were pasted into it or are attachments of the
    same ticket; others are described in words. Mentions and addresses of the origin are dropped
    (:mod:`~itopsync.reconcile.gate`), as is everything that some iTop drops, that would act or fetch by itself, or that could be
    taken for one of our markers (:mod:`~itopsync.reconcile.whitelist`).
    """
    found: dict[str, Picture] = {}
    pieces = guard(_with_placeholders(read(fragment), origin, found), origin.addresses)
    return Carried(write(pieces), tuple(found.values()))


def _with_placeholders(pieces: Iterable[Piece], origin: Origin, found: dict[str, Picture]) -> Iterator[Piece]:
    for piece in pieces:
        if not isinstance(piece, Open) or piece.tag != "img":
            yield piece
            continue
        picture = _picture(piece.attributes, origin) if origin.pictures else None
        if picture is None:
            yield Text(f"[picture: {_in_words(piece.attributes, origin)}]")
            continue
        found.setdefault(picture.marker, picture)
        size = {name: value for name, value in piece.attributes.items() if name in ("width", "height")}
        yield Open("img", {"src": f"{PICTURE_SCHEME}:{picture.marker}", "alt": picture.alt, **size})


def _picture(attributes: Mapping[str, str], origin: Origin) -> Picture | None:
    source = source_of(attributes, origin.addresses)
    if source is None:
        return None
    if isinstance(source, AttachedImage):
        marker = origin.attached.get(source.id)
    else:
        marker = picture_marker(origin.pair, origin.ref, name_of(source))
    return None if marker is None else Picture(marker, source, _alt(attributes, origin)[:200])


def _in_words(attributes: Mapping[str, str], origin: Origin) -> str:
    """Words for a picture that is not carried: its description, and its address if that is on a third server."""
    alt, address = _alt(attributes, origin).strip(), trimmed(attributes.get("src", ""))
    is_foreign = re.match(r"https?://", address, re.IGNORECASE) and not find(address, origin.addresses)
    return " ".join(part for part in (alt, clip(address) if is_foreign else "") if part) or "?"


def _alt(attributes: Mapping[str, str], origin: Origin) -> str:
    """A picture's description, which in iTop is the name of its file."""
    return name_words(attributes.get("alt", ""), origin.addresses)


def fill(fragment: str, address_of: Callable[[str], str | None]) -> str:
    """Replace placeholders by addresses; *address_of* takes a placeholder's name, usually a marker."""

    def address(found: re.Match[str]) -> str:
        return html.escape(address_of(found[1]) or "", quote=True)

    return _PLACEHOLDER.sub(address, fragment)


def literal(text: str) -> str:
    """A plain text without anything that could be taken for a placeholder."""
    while _PLACEHOLDER.search(text):  # the rest of one may form another
        text = _PLACEHOLDER.sub(r"\1", text)
    return text


def unfilled(fragment: str, address_of: Callable[[str], str | None]) -> bool:
    """Whether a placeholder has no address yet."""
    return any(address_of(found[1]) is None for found in _PLACEHOLDER.finditer(fragment))


def without_pictures(fragment: str, markers: Collection[str]) -> str:
    """Replace the pictures with *markers* by words."""
    if not markers:
        return fragment

    def words(found: re.Match[str]) -> str:
        return f"[picture not carried: {found[2] or '?'}]" if found[1] in markers else found[0]

    return _SHOWN.sub(words, fragment)


def in_words(fragment: str) -> str:
    """A text to be carried as a file, with its pictures replaced by words."""
    return _SHOWN.sub(lambda found: f"[picture: {found[2] or '?'}]", fragment)


def attachment_address(public_url: str, attachment_id: int) -> str:
    """The address at which a logged-in agent sees an attachment."""
    query = f"operation=download_document&class=Attachment&field=contents&id={attachment_id}"
    return f"{public_url}/pages/ajax.document.php?{query}"


def shorten(fragment: str, limit: int, remark: str) -> str:
    """The first words of a fragment of HTML, as HTML of at most *limit* bytes that ends with *remark*."""
    end = f"… <p><em>{html.escape(remark)}</em></p>"
    room = limit - len(end.encode()) - len("<p></p>")
    words = html.escape(plain(fragment)).encode()[: max(room, 0)].decode(errors="ignore")
    words = re.sub(r"&[#\w]{0,6}$", "", words)
    return f"<p>{words}</p>{end}"


def lost_words(sent: str, kept: str) -> tuple[str, ...]:
    """The words of the HTML *sent* that are missing from what the server *kept*.

    Order and spaces do not count, since sanitising may move and join words; nor do pictures and invisible characters.
    """
    left, there = Counter(visible_words(sent)), visible_words(kept)
    missing = left - Counter(there)
    if not missing:
        return ()
    squeezed = "".join(there)
    return tuple(word for word in missing if squeezed.count(word) < left[word])


def visible_words(fragment: str) -> list[str]:
    """The visible words of a fragment of HTML, with all forms of a letter alike; no pictures, no invisible characters."""
    shown = normalise("NFKC", plain(fragment))
    hidden = {char for char in set(shown) if char == _PICTURE or (is_invisible(char) and not char.isspace())}
    return shown.translate(dict.fromkeys(map(ord, hidden))).split()
