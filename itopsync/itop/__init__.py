"""iTop's REST API, and nothing else of HTTP: :class:`~itopsync.itop.server.Server` is all that the layers above need.

``settings``    how a server is reached
``server``      what can be asked of it, by name: all of it
``reader``      tickets and files, read without changing anything
``inquiry``     what is asked of the server itself, and any query
``piecewise``   the one object found that makes a read of many fail
``caller``      reads are tried again, writes are sent once, each exchange is recorded
``throttle``    how many calls run at once
``answers``     what an answer means: the errors
``wording``     what is kept of an error's text
``connection``  one exchange over HTTP
``body``        the form that carries a request
``attributes``  which attributes of a ticket are read
``rows``        from iTop's JSON to the model's values, and back
``dates``       a server's timezone and date format
``address``     what a server calls itself
``versions``    which iTop a server is
``older``       attributes as iTop before 3.2 reads and takes them
``images``      pictures pasted into texts
``oql``         pieces of queries
"""
