"""Shapes: the same numbers, arranged differently."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, normal

OPERATIONS = {
    "reshape": [
        Sample("to 2 axes", (normal(3, 2, 4),), lambda x: F.reshape(x, (4, 6))),
        Sample("one size free", (normal(3, 2, 4),), lambda x: F.reshape(x, (2, -1, 3))),
        Sample("to a scalar", (normal(1, 1),), lambda x: F.reshape(x, ())),
        Sample("empty", (normal(0, 4),), lambda x: F.reshape(x, (2, 0))),
    ],
    "transpose": [
        Sample("reversed", (normal(3, 2, 4),), lambda x: F.transpose(x)),
        Sample("in order", (normal(3, 2, 4, 5),), lambda x: F.transpose(x, (2, 0, 3, 1))),
    ],
    "flatten": [
        Sample("images", (normal(2, 3, 4, 5),), lambda x: F.flatten(x)),
        Sample("all", (normal(2, 3),), lambda x: F.flatten(x, 0)),
        Sample("empty batch", (normal(0, 3, 2),), lambda x: F.flatten(x)),
    ],
    "broadcast_to": [
        Sample("a row", (normal(4),), lambda x: F.broadcast_to(x, (3, 4))),
        Sample("ones", (normal(3, 1, 2),), lambda x: F.broadcast_to(x, (2, 3, 5, 2))),
    ],
    "getitem": [
        Sample("a slice", (normal(5, 4),), lambda x: F.getitem(x, (slice(1, 4, 2), -1))),
        Sample("repeats", (normal(5, 3),), lambda x: F.getitem(x, np.array([0, 2, 2, 0]))),
        Sample("a mask", (normal(2, 2),), lambda x: F.getitem(x, np.array([[True, False]] * 2))),
        Sample("a new axis", (normal(5),), lambda x: F.getitem(x, (None, ...))),
    ],
    "concatenate": [
        Sample("rows", (normal(2, 3), normal(1, 3)), lambda *t: F.concatenate(t)),
        Sample(
            "columns", (normal(2, 3), normal(2, 1), normal(2, 2)), lambda *t: F.concatenate(t, 1)
        ),
    ],
    "stack": [
        Sample("first axis", (normal(2, 3), normal(2, 3)), lambda *t: F.stack(t)),
        Sample("last axis", (normal(2, 3), normal(2, 3)), lambda *t: F.stack(t, -1)),
    ],
}
