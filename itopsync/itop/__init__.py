"""A client for iTop's REST API. The layers above use only :class:`~itopsync.itop.server.Server`.

``settings``    the configuration of a server
``server``      the whole client, with the operations that write
``reader``      reads tickets and files
``inquiry``     asks about the server itself: its version, its address, our account; and runs queries
``objects``     finds the objects that a configuration names
``piecewise``   finds the object that makes a read of many fail
``caller``      retries reads, sends writes once, records each exchange
``throttle``    limits the calls that run at the same time
``answers``     turns responses into errors
``wording``     decides what is kept of an error's text
``connection``  one exchange over HTTP
``body``        the form that carries a request
``attributes``  which attributes of a ticket are read
``rows``        iTop's JSON to and from the model's values
``dates``       a server's timezone and date format
``older``       conversion of attributes for iTop before 3.2
``blanks``      restores the blanks that iTop 3.0 drops
``images``      pictures pasted into texts
``oql``         pieces of queries
"""
