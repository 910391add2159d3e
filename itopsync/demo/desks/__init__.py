"""The page on which a newcomer plays: both simulated desks, and the bridge between them as a process of its own.

``serving``  the page, and the console beside it, on ports of this machine
``page``     its addresses, and what they answer
``shown``    what a desk shows
``people``   what the people at a desk do
``forms``    what a form brings, files too
``bridge``   the process ``itopsync run``

It needs what the extra ``web`` brings; nothing but its command imports it.
"""

from itopsync.demo.desks.serving import serving

__all__ = ["serving"]
