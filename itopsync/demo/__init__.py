"""A service desk's day on two simulated servers, over real HTTP on loopback, with a store in a temporary file.

``desk``     the two servers, the people on them, and itopsync between them
``story``    what people do, step by step
``play``     the demo as it is shown
``serve``    two servers that stay up, to play with
``compare``  both servers held against each other, item by item, without a word from itopsync itself
"""

from itopsync.demo.play import play
from itopsync.demo.serve import serve

__all__ = ["play", "serve"]
