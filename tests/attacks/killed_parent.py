"""Kill the process that forked this one, and everything in the sessions nearby.

Catalogue: row 12.
Ends as: wrong or crashed.
"""

import os
import signal
from contextlib import suppress

import numpy as np


def answer(x):
    for number in (signal.SIGSTOP, signal.SIGKILL):
        with suppress(OSError):
            os.kill(os.getppid(), number)
    return np.zeros_like(x)
