"""The monthly report for both companies: arrivals and delays, from the store alone, without content.

``delays``    whose delay an arrival's was
``lines``     the report, line by line
``formats``   HTML, CSV and JSON
``files``     a report written, with its checksum, and held against the store
"""
