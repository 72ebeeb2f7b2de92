"""Install a trace and a profile function, and change the worker's own variables from there.

Catalogue: rows 3 and 6.
Ends as: wrong or protocol.
"""

import sys


def trace(frame, event, arg):
    for name in ("ticket", "size", "returned", "before"):
        if name in frame.f_locals:
            frame.f_locals[name] = True
    return trace


def answer(x):
    sys.settrace(trace)
    sys.setprofile(trace)
    frame = sys._getframe()
    while frame is not None:
        frame.f_trace = trace
        frame = frame.f_back
    return x
