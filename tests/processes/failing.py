"""One rank fails while the others wait for its message; MPI is there only from `init` on."""

import sys

import numpy as np

from minidl import distributed
from minidl.distributed.world import world

assert "mpi4py" not in sys.modules
distributed.init()
if distributed.rank() == 1:
    raise ValueError("rank 1 has had enough")
world().sum(np.ones(3))
