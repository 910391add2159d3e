"""``python -m itopsync``."""

from itopsync.cli import main

main()
