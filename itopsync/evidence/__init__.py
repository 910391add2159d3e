"""What both companies can hold in hand: a month's arrivals and delays, from the store alone, without any content.

``delays``    whose delay an arrival's was
``lines``     the report, line by line
``formats``   HTML, CSV and JSON
``files``     a report written, with its checksum, and held against the store
"""
