"""The console: shows the status in a browser and takes operators' requests. Reads the store; does not contact the servers.

``serve``      the process: where it listens
``app``        the pages by their addresses
``views``      what each page shows
``actions``    what an operator asks for
``figures``    the last day in numbers: cycles as a strip, how long changes took
``causes``     what waits for a person, by its cause
``runbook``    what the runbook says of a message
``ticket``     one link, as the store knows it
``pages``      from values to HTML
``words``      the language of the pages
``guard``      what every request must pass
``access``     who somebody is, and what they may do
``accounts``   local accounts and their passwords
``sessions``   who has signed in, and how often somebody tried
``pairs``      the pairs, each with its store
``settings``   ``web.toml``
"""
