"""How Sphinx builds these pages: `make docs`."""

from itopsync import __version__

project = "itopsync"
author = copyright = "The itopsync developers"
release = version = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3


html_theme = "furo"
html_title = f"itopsync {__version__}"
html_copy_source = False
html_show_sourcelink = False
