"""Leave deep folders, forbidden ones, links and pipes in the scratch folder.

Catalogue: row 13.
Ends as: wrong.
"""

import os
from contextlib import suppress


def answer(x):
    os.symlink("/etc", "link")
    os.mkfifo("pipe")
    os.mkdir("closed")
    os.mkdir("closed/inside", 0)
    with suppress(OSError):
        os.chmod("closed", 0)
        os.chmod(".", 0o300)
    with suppress(OSError):
        for _ in range(1500):
            os.mkdir("deeper-and-deeper")
            os.chdir("deeper-and-deeper")
    return x
