"""An endless loop that blocks every signal it may block and swallows every exception.

Catalogue: row 8.
Ends as: timeout.
"""

import signal
from contextlib import suppress


def answer(x):
    signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.Signals))
    while True:
        with suppress(BaseException):
            while True:
                x = x + 1
