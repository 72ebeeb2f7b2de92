"""Kernels under bad luck: little memory, other threads, forked and spawned children.

Programs run in children of their own where they would disturb or end this process.
"""

import contextlib
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import kernel_cases
import numpy as np
import pytest
from fuzz.agreement import TWINS, arrays, assert_agrees, load

from minidl import Tensor
from minidl import functional as F
from minidl.errors import MinidlError

COMPILED = [twin for twin in TWINS if twin.endswith("_cython")]
FOLDER = Path(__file__).parents[1]


def small_cases(twin, dtype=np.float32):
    """Cases of a twin's family that it serves itself, of at most 20000 numbers."""
    cases = kernel_cases.CASES.get(twin.rpartition("_")[0], lambda rng, dtype: ())
    for function, arguments in cases(np.random.default_rng(5), dtype):
        numbers = sum(a.size for a in arguments if isinstance(a, np.ndarray))
        if hasattr(load(twin), function) and numbers <= 20000:
            yield function, arguments


def child(program, *arguments, **environment):
    """Run a program in a process of its own, in tests/, and return what it printed."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env={**os.environ, "PYTHONPATH": f"{FOLDER}:{os.environ.get('PYTHONPATH', '')}"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


ALL_CASES = """
import sys
import numpy as np
from fuzz.agreement import assert_agrees
from fuzz.test_fuzz_adversity import COMPILED, small_cases
for twin in COMPILED:
    for dtype in (np.float32, np.float64):
        for function, arguments in small_cases(twin, dtype):
            assert_agrees(twin, function, arguments, int(sys.argv[1]))
"""


@pytest.mark.parametrize("cap", ["baseline", "avx2"])
def test_processors_without_wide_vectors(cap):
    child(ALL_CASES, "1", MINIDL_SIMD=cap)


def test_several_threads_call_at_once():
    """Four threads make the same calls in orders of their own; all get what one alone gets."""
    jobs = [
        (getattr(load(twin), function), arguments, getattr(load(twin), function)(*arguments))
        for twin in COMPILED
        for function, arguments in small_cases(twin)
    ]
    wrong = []

    def work(seed):
        order = np.random.default_rng(seed).permutation(len(jobs))
        for index in order:
            kernel, arguments, want = jobs[index]
            for a, b in zip(arrays(kernel(*arguments)), arrays(want), strict=True):
                same = a is b if b is None else np.array_equal(a, b, equal_nan=True)
                if not same:
                    wrong.append((kernel.__name__, index))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_forked_child_of_a_process_with_threads():
    """A child has none of its parent's threads, and must neither wait for them nor miss them."""
    child(
        "from minidl.kernels import parallel\n"
        "parallel.set_count(2)\n"
        "parallel.run(lambda start, stop: None, 10)\n"
        "import os, signal\n" + ALL_CASES + "sys.stdout.flush()\n"
        "if os.fork() == 0:\n"
        "    signal.alarm(30)\n"
        "    for twin in COMPILED:\n"
        "        for function, arguments in small_cases(twin):\n"
        "            assert_agrees(twin, function, arguments, 2)\n"
        "    os._exit(0)\n"
        "assert os.wait()[1] == 0\n",
        "2",
    )


def _agree_in_child(twin):
    for function, arguments in small_cases(twin):
        assert_agrees(twin, function, arguments, 2)
    return twin


def test_spawned_children(monkeypatch):
    paths = [str(FOLDER), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))
    child(
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import multiprocessing\n"
        "from fuzz.test_fuzz_adversity import COMPILED, _agree_in_child\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(2, mp_context=spawn) as pool:\n"
        "        assert list(pool.map(_agree_in_child, COMPILED)) == COMPILED\n"
    )


LITTLE_MEMORY = """
import resource
import minidl
import numpy as np
from fuzz.agreement import load
from fuzz.test_fuzz_adversity import HUNGRY, pages
for name, (family, function, arguments) in HUNGRY.items():
    kernel = getattr(load(f"{family}_cython"), function)
    want = kernel(*arguments)
    want = want[0] if isinstance(want, tuple) else want
    outcomes = set()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    for room in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 48, 96):
        minidl.empty_cache()
        resource.setrlimit(resource.RLIMIT_AS, (pages() + (room << 20), hard))
        try:
            got = kernel(*arguments)
            got = got[0] if isinstance(got, tuple) else got
            outcomes.add("right" if np.array_equal(got, want) else "wrong")
            del got
        except MemoryError:
            outcomes.add("refused")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    assert outcomes == {"right", "refused"}, (name, outcomes)
"""


def pages():
    """Return the bytes of address space this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _ones(*shape):
    return np.ones(shape, np.float32)


# Results and scratch of 1 to 20 MB: more than the allocator of the C library has lying about.
HUNGRY = {
    "3x3": (
        "conv2d",
        "forward",
        (_ones(4, 32, 64, 64), _ones(32, 32, 3, 3), None, *[(1, 1)] * 3, 1),
    ),
    "3x3, input": (
        "conv2d",
        "backward_input",
        (_ones(4, 32, 64, 64), _ones(32, 32, 3, 3), (4, 32, 64, 64), *[(1, 1)] * 3, 1),
    ),
    "3x3, weight": (
        "conv2d",
        "backward_weight",
        (_ones(4, 64, 16, 16), _ones(4, 128, 16, 16), (64, 128, 3, 3), *[(1, 1)] * 3, 1),
    ),
    "pool": (
        "pool",
        "max_forward",
        (_ones(8, 32, 64, 64), *[(2, 2)] * 2, (0, 0), (1, 1), (32, 32)),
    ),
    "batch_norm": ("batch_norm", "forward", (_ones(8, 32, 4096), _ones(32), _ones(32), 1e-5)),
    "lrn": ("lrn", "forward", (_ones(4, 64, 4096), 5, 1e-4, 0.75, 1.0)),
    "drop_block": ("drop_block", "expand", (np.zeros((64, 64, 26, 26), bool), 7)),
    "cross-entropy": ("softmax_cross_entropy", "forward", (_ones(1000, 1000), np.zeros(1000, int))),
}


@pytest.mark.parametrize("allocator", ["on", "off"])
def test_little_memory_is_an_error(allocator):
    """With a little more room each time: MemoryError until there is enough, then right answers."""
    tunables = "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=0"
    child(
        LITTLE_MEMORY,
        GLIBC_TUNABLES=tunables,
        MINIDL_ALLOCATOR=allocator,
        OPENBLAS_NUM_THREADS="1",
    )


FAR = [2**31 - 1, 2**31, 2**31 + 1, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 10**30]
X, W = Tensor(np.ones((1, 2, 5, 5), np.float32)), Tensor(np.ones((3, 2, 3, 3), np.float32))
POINT = Tensor(np.ones((3, 2, 1, 1), np.float32))
EXTREMES = {
    "conv2d, stride": (lambda far: F.conv2d(X, W, stride=far), (1, 3, 1, 1), 18),
    "conv2d, padding": (lambda far: F.conv2d(X, W, padding=far), None, None),
    "conv2d, dilation": (lambda far: F.conv2d(X, W, dilation=far), None, None),
    "conv2d, dilation of one": (lambda far: F.conv2d(X, POINT, dilation=far), (1, 3, 5, 5), 2),
    "conv2d, padding, stride": (
        lambda far: F.conv2d(X, W, padding=far, stride=far),
        (1, 3, 3, 3),
        0,
    ),
    "conv2d, padding, dilation": (
        lambda far: F.conv2d(X, W, padding=far, dilation=far),
        (1, 3, 5, 5),
        2,
    ),
    "max_pool2d, stride": (lambda far: F.max_pool2d(X, 2, far), (1, 2, 1, 1), 1),
    "max_pool2d, ceil": (lambda far: F.max_pool2d(X, 2, far, ceil_mode=True), (1, 2, 1, 1), 1),
    "max_pool2d, dilation": (lambda far: F.max_pool2d(X, 2, dilation=far), None, None),
    "max_pool2d, of one": (lambda far: F.max_pool2d(X, 1, 1, dilation=far), (1, 2, 5, 5), 1),
    "avg_pool2d, stride": (lambda far: F.avg_pool2d(X, 2, far), (1, 2, 1, 1), 1),
    "adaptive_avg_pool2d": (lambda far: F.adaptive_avg_pool2d(X, far), None, None),
    "local_response_norm": (lambda far: F.local_response_norm(X, far), (1, 2, 5, 5), 1),
}


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("name", EXTREMES)
def test_sizes_beyond_all_bounds(name, far):
    """The right answer, or one error that says what is wrong."""
    call, shape, first = EXTREMES[name]
    y = None
    with contextlib.suppress(MinidlError, MemoryError):
        y = call(far).data
    if y is not None:
        assert y.shape == shape
        assert y.flat[0] == pytest.approx(first, rel=1e-3)


@pytest.mark.parametrize("shape", [(2**16, 2, 2**16, 2**10), (2**20, 2, 2**19, 2**20)])
def test_images_larger_than_any_memory(shape):
    """Views of one value, of more numbers than fit a memory: an error, and the next call works."""
    x = np.broadcast_to(np.float32(1), shape)
    for call in (
        lambda: F.conv2d(Tensor(x), W),
        lambda: F.relu(Tensor(x)),
        lambda: F.max_pool2d(Tensor(x), 2),
    ):
        with pytest.raises((MinidlError, MemoryError, ValueError)):
            call()
    assert F.conv2d(X, W).shape == (1, 3, 3, 3)
