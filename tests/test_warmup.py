"""Cold start: nobody waits for Numba who does not use it, and `minidl warmup` compiles ahead."""

import os
import subprocess
import sys
from pathlib import Path

from minidl import backend, warmup

STEP = """
import sys
import numpy as np
import minidl
from minidl import functional as F, nn
early = "numba" in sys.modules
net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 10),
)
adam = minidl.optim.Adam(net.parameters(), 1e-3)
images = np.linspace(-1, 1, 2 * 784, dtype=np.float32).reshape(2, 1, 28, 28)
F.cross_entropy(net(minidl.Tensor(images)), np.array([3, 7])).backward()
adam.step()
print(early, "numba" in sys.modules)
"""


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_training_step_does_not_import_numba_where_cython_serves():
    families = ("conv2d", "pool", "softmax_cross_entropy")
    served = all(not isinstance(backend.load(family, "cython"), str) for family in families)
    assert run("-c", STEP).split() == ["False", str(not served)]


def test_every_family_with_numba_kernels_is_compiled_ahead():
    numba = {f for f in backend.families() if not isinstance(backend.load(f, "numba"), str)}
    assert set(warmup.tasks()) == numba


def test_warmup_keeps_what_it_compiles_where_it_says(tmp_path):
    told = run("-m", "minidl.cli", "warmup", NUMBA_CACHE_DIR=str(tmp_path), COLUMNS="200")
    assert str(tmp_path) in told
    assert all(family in told for family in warmup.tasks())
    kept = [path.name for path in tmp_path.rglob("*.nbi")]
    assert all(any(name.startswith(f"{f}_numba") for name in kept) for f in warmup.tasks())


NOWHERE = """
from pathlib import Path
import numpy as np
from numba.core import caching
caching.CacheImpl._locator_classes = [caching.UserProvidedCacheLocator]
import minidl
from minidl import backend, functional as F, warmup
x = minidl.Tensor(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4))
with backend.use("numba", "pool") as used:
    print(F.max_pool2d(x, 2).data.ravel(), len(used.calls))
import numba
spare = Path(numba.config.CACHE_DIR)
print(any(spare.rglob("*.nbc")))
try:
    warmup.cache_folder()
except backend.BackendError as error:
    print(error)
print(spare)
"""


def test_where_nothing_can_be_kept_kernels_serve_all_the_same_and_warmup_says_so(tmp_path):
    answer, kept, said, spare = run(
        "-c", NOWHERE, NUMBA_CACHE_DIR="", TMPDIR=str(tmp_path)
    ).splitlines()
    assert (answer, kept) == ("[ 5.  7. 13. 15.] 1", "True")
    assert said.startswith("warmup: expected a folder to write to")
    assert Path(spare).parent == tmp_path
    assert not any(tmp_path.iterdir())
