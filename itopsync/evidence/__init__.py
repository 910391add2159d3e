"""The monthly report for both companies: arrivals and delays, from the store alone, without content.

``delays``    what caused each delay
``lines``     the report, line by line
``formats``   HTML, CSV and JSON
``files``     writes a report with its checksum, and compares one with the store
"""
