"""Checks the setup: both servers, the rights of the accounts, the defaults, the store.

Only the probe writes, and only on request.

``checking``   the whole check, in order
``finding``    the findings, and how one fault is kept from hiding others
``side``       one server: its checks, in order
``dates``      clock, timezone and date format
``probe``      writes to a server and reads back what it keeps, on request
``rights``     what the account may do
``tickets``    classes, attributes, states, public logs, scope
``addresses``  public_url and pictures; whether both sides are the same server
``defaults``   one side's defaults: each exists, and they fit together
``routes``     how they depend on the ticket: what routes name, and whether they can be reached
"""
