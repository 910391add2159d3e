"""The bytes of a file that is to be uploaded: read where it lies, or made from a text."""

from __future__ import annotations

import mimetypes

from itopsync.itop.server import Server
from itopsync.model import File
from itopsync.reconcile.images import AttachedImage, DataImage, InlineImage
from itopsync.reconcile.plan import AttachmentSource, TextSource, Upload


def read_file(upload: Upload, origin: Server) -> File:
    """Return what *upload* takes to the other side. Pictures are read from the configured server only, never from elsewhere."""
    match upload.source:
        case AttachmentSource(id=number) | AttachedImage(id=number):
            return origin.attachment_file(number)
        case InlineImage(id=number, secret=secret):
            return origin.image(number, secret)
        case DataImage(mimetype=mimetype, data=data):
            ending = mimetypes.guess_extension(mimetype) or ".img"
            return File(f"image-{upload.marker[-8:]}{ending}", mimetype, data)
        case TextSource(name=name, text=text):
            return File(name, "text/html" if name.endswith(".html") else "text/plain", text.encode())
