"""Whether everything is in place: both servers, the rights of the accounts, the defaults, the store.

Nothing is written, unless it is asked to probe.

``checking``   all of it, in its order
``finding``    what a check finds, and how one fault is kept from hiding others
``side``       one server: the order of the looks
``dates``      clock, timezone and date format
``probe``      what a server keeps of what is written to it; the only look that writes, and only where that is asked for
``rights``     what the account may do
``tickets``    classes, attributes, states, public logs, scope
``addresses``  public_url and pictures; whether both sides are one server
``defaults``   one side's defaults: each exists, and they fit together
"""
