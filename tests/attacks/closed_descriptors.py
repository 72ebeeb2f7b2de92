"""Close every descriptor, so that no answer can leave, and wait.

Catalogue: rows 5 and 6.
Ends as: crashed.
"""

import os
import time


def answer(x):
    os.closerange(0, 4096)
    time.sleep(600)
