"""Print without end, on both streams.

Catalogue: rows 7 and 22.
Ends as: timeout.
"""

import os


def answer(x):
    while True:
        os.write(1, b"A" * 65536)
        os.write(2, b"\x1b[2J" * 4096)
