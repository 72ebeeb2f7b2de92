"""An endless loop at import, before anything is asked.

Catalogue: row 8.
Ends as: timeout.
"""

while True:
    pass


def answer(x):
    return x
