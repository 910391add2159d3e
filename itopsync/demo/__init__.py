"""A service desk's day on two simulated servers, over real HTTP on loopback, with a store in a temporary file.

``desk``     the two servers, the people on them, and itopsync between them
``story``    what people do, step by step
``play``     plays the story and prints it
``serve``    keeps two servers running to try commands on
``compare``  compares both servers item by item, independently of itopsync

The package ``desks`` serves a page with both desks side by side, to play on.
"""

from itopsync.demo.play import play
from itopsync.demo.serve import serve

__all__ = ["play", "serve"]
