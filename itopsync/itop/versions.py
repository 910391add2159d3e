"""Which iTop a server is, told by classes that a version brought: its REST services do not say.

Read from the data models of 2.7.9, 3.0.4, 3.1.2 and 3.2.0; asked of real servers of 3.1.2 and 3.2.0.
"""

from __future__ import annotations

OLDEST = "2.7"
FIRST_WITH = (
    ("3.2", "lnkActionNotificationToContact"),
    ("3.1", "TriggerOnAttributeBlobDownload"),
    ("3.0", "TriggerOnObjectMention"),
)
"""The newest first. What comes after 3.2 is not told from it."""
