"""Announce arrays of exabytes, of negative and of overflowing shapes, on every descriptor.

Catalogue: row 7.
Ends as: protocol.
"""

import json
import os
import struct
from contextlib import suppress

SHAPES = ([2**62, 4], [-1, 2], [2**31, 2**31, 2**31], [2**64])


def answer(x):
    for shape in SHAPES:
        header = json.dumps({"array": ["float64", shape]}).encode()
        prefix = struct.pack("<4sQIQ", b"mdl1", 2, len(header), 2**60)
        for descriptor in range(3, 256):
            with suppress(OSError):
                os.write(descriptor, prefix + header)
    return x
