"""Recognises a server's iTop version by the classes that each version introduced, since its REST services do not report it.

Taken from the data models of 2.7.9, 3.0.4, 3.1.2 and 3.2.0, and tested on real servers of 2.7.11, 3.0.4, 3.1.2 and 3.2.0.
"""

from __future__ import annotations

OLDEST = "2.7"
FIRST_WITH = (
    ("3.2", "lnkActionNotificationToContact"),
    ("3.1", "TriggerOnAttributeBlobDownload"),
    ("3.0", "TriggerOnObjectMention"),
)
"""Newest first. Versions after 3.2 are not distinguished from it."""
