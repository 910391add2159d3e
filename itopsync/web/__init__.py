"""The console: shows the status in a browser and takes operators' requests. Reads the store; does not contact the servers.

``serve``      the process, and where it listens
``app``        the pages by their addresses
``views``      what each page shows
``actions``    operators' requests
``figures``    the last day in numbers: its cycles, and how long changes took
``causes``     what waits for a person, by its cause
``runbook``    the runbook's advice on messages
``ticket``     one link, as the store knows it
``pages``      renders values as HTML
``words``      the language of the pages
``guard``      checks every request
``access``     who a user is, and what they may do
``accounts``   local accounts and their passwords
``sessions``   who has signed in, and how often people have tried to
``pairs``      the pairs, each with its store
``settings``   ``web.toml``
"""
