"""A page for newcomers to play on: both simulated desks, and the bridge between them, which runs as a separate process.

``serving``  serves the page, and the console next to it, on local ports
``page``     the page's addresses and the responses to them
``shown``    what a desk shows
``people``   what the people at a desk do
``forms``    reads submitted forms, including files
``bridge``   the process ``itopsync run``

It needs the extra ``web``; only the command ``demo --serve`` imports it.
"""

from itopsync.demo.desks.serving import serving

__all__ = ["serving"]
