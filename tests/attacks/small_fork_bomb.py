"""Fork daemons in sessions of their own that hold every descriptor, and return their ids.

Catalogue: rows 10 and 13.
Ends as: wrong, raised or crashed.
"""

import os
import signal
import time

import numpy as np


def answer(x):
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.Signals))
            time.sleep(120)
            os._exit(0)
        children.append(child)
    return np.array(children)
