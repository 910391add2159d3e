"""Runs the migrations with Alembic, which takes 0.2 s to load and is rarely needed: ``migrate`` imports this module on demand."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


class Revisions:
    """The migrations in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self) -> list[str]:
        """All revisions, newest first."""
        return [script.revision for script in ScriptDirectory.from_config(self._config()).walk_revisions()]

    def upgrade(self, connection: Connection) -> None:
        """Run the missing migrations."""
        command.upgrade(self._config(connection), "head")

    def downgrade(self, connection: Connection, revision: str) -> None:
        """Undo the migrations after *revision*."""
        command.downgrade(self._config(connection), revision)

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(self._folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return config
