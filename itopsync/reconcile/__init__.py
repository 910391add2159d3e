"""The pure middle: what two servers show, against what they last agreed on, makes a plan.

No module in here does I/O, reads a clock or draws a random number.
"""
