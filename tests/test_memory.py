"""The allocator behind arrays: what it keeps and gives back, and that nobody's data is lost."""

import gc
import itertools
import multiprocessing
import os
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

import minidl
from minidl import memory
from minidl.errors import ArgumentError

MIB = 2**20


@pytest.fixture(autouse=True)
def fresh():
    """An empty cache with room for everything a test keeps."""
    assert memory.install()
    gc.collect()
    before = memory.memory_stats().bound
    memory.set_memory_bound(256 * MIB)
    memory.empty_cache()
    yield
    memory.set_memory_bound(before)
    memory.install()


def address(array):
    return array.__array_interface__["data"][0]


def run(code, **environment):
    """Run `code` in a process of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SIZES = [0, 1, 63, 64, 65, 1023, 1024, 1025, 1152, 1153, 5000, MIB - 1, MIB, MIB + 1, 9 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_blocks_are_aligned_and_hold_what_is_written(size):
    arrays = [np.empty(size, np.uint8) for _ in range(4)]
    for value, array in enumerate(arrays):
        assert address(array) % 64 == 0
        assert get_handler_name(array) == "minidl"
        array.fill(value)
    for value, array in enumerate(arrays):
        assert (array == value).all()


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_freed_block_is_handed_out_again(size):
    first = np.empty(size, np.uint8)
    place = address(first)
    hits = memory.memory_stats().hits
    del first
    again = np.empty(size, np.uint8)
    assert address(again) == place
    assert memory.memory_stats().hits > hits


@pytest.mark.parametrize("size", SIZES[1:])
def test_zeros_are_zero_in_fresh_and_in_kept_memory(size):
    fresh = np.zeros(size, np.uint8)
    assert not fresh.any()
    fresh.fill(255)
    place = address(fresh)
    del fresh
    again = np.zeros(size, np.uint8)
    assert address(again) == place
    assert not again.any()


def test_statistics_add_up():
    before = memory.memory_stats()
    array = np.empty(3 * MIB, np.uint8)
    during = memory.memory_stats()
    gained = during.in_use - before.in_use
    assert 3 * MIB <= gained < 3 * MIB * 1.2
    assert (during.blocks, during.cached) == (before.blocks + 1, 0)
    assert during.hits + during.misses == before.hits + before.misses + 1
    assert during.peak >= during.in_use
    del array
    after = memory.memory_stats()
    assert (after.in_use, after.blocks, after.cached) == (before.in_use, before.blocks, gained)
    assert memory.empty_cache() == gained
    assert memory.memory_stats().cached == 0


def test_the_bound_holds_and_the_oldest_go_first():
    memory.set_memory_bound(10 * MIB)
    a, b = np.empty(4 * MIB, np.uint8), np.empty(5 * MIB, np.uint8)
    place = address(b)
    del a
    del b
    assert 0 < memory.memory_stats().cached <= 10 * MIB
    large = np.empty(3 * MIB, np.uint8)
    del large
    assert 7 * MIB < memory.memory_stats().cached <= 10 * MIB
    misses = memory.memory_stats().misses
    b = np.empty(5 * MIB, np.uint8)
    assert address(b) == place
    a = np.empty(4 * MIB, np.uint8)
    assert memory.memory_stats().misses == misses + 1
    del a, b
    too_large = np.empty(20 * MIB, np.uint8)
    cached = memory.memory_stats().cached
    del too_large
    assert memory.memory_stats().cached == cached


def test_a_lower_bound_gives_memory_back_at_once():
    del [np.empty(2 * MIB, np.uint8) for _ in range(4)][:]
    memory.set_memory_bound(3 * MIB)
    assert memory.memory_stats().cached <= 3 * MIB
    memory.set_memory_bound(0)
    array = np.empty(100, np.uint8)
    del array
    assert memory.memory_stats().cached == 0


def test_a_thread_that_joins_later_leaves_the_bound_as_it_is():
    memory.set_memory_bound(0)
    thread = threading.Thread(target=memory.install)
    thread.start()
    thread.join()
    assert memory.memory_stats().bound == 0


@pytest.mark.parametrize("wrong", [-1, 1.5, "1 GB", True, 2**62])
def test_what_is_not_a_bound_is_refused(wrong):
    with pytest.raises(ArgumentError, match="number of bytes"):
        minidl.set_memory_bound(wrong)


def test_resizing_keeps_contents():
    sizes = [100, 1, 64, 65, 3000, 2_000_000, 40, 700_000, 0, 10]
    array = np.arange(100, dtype=np.int32)
    for before, after in itertools.pairwise(sizes):
        array.resize(after, refcheck=False)
        kept = min(before, after)
        np.testing.assert_array_equal(array[:kept], np.arange(kept))
        assert not array[kept:].any()
        array[:] = np.arange(after)


def test_a_view_keeps_its_block():
    whole = np.arange(10_000.0)
    view = whole[17:19]
    del whole
    others = [np.zeros(10_000) for _ in range(3)]
    assert view.tolist() == [17, 18]
    assert all(address(other) != address(view) - 17 * 8 for other in others)


def test_arrays_go_back_to_where_they_came_from():
    memory.uninstall()
    foreign = np.ones(3000)
    memory.install()
    own = np.ones(3000)
    assert [get_handler_name(a) for a in (foreign, own)] == ["default_allocator", "minidl"]
    blocks = memory.memory_stats().blocks
    del foreign
    assert memory.memory_stats().blocks == blocks
    memory.uninstall()
    del own
    assert memory.memory_stats().blocks == blocks - 1


def test_threads_share_blocks_without_mixing_them():
    wrong = []

    def work(seed):
        memory.install()
        rng = np.random.default_rng(seed)
        kept = []
        for step in range(3000):
            array = np.empty(int(2 ** rng.uniform(0, 14)), np.uint8)
            array.fill((seed * 31 + step) % 251)
            kept.append((array, (seed * 31 + step) % 251))
            if len(kept) > 20:
                old, value = kept.pop(int(rng.integers(20)))
                if not (old == value).all():
                    wrong.append((seed, step))

    before = memory.memory_stats().blocks
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    gc.collect()
    assert memory.memory_stats().blocks <= before + 1


def test_a_new_thread_uses_numpy_until_it_asks():
    names = []

    def work():
        names.append(get_handler_name(np.empty(9)))
        memory.install()
        names.append(get_handler_name(np.empty(9)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert names == ["default_allocator", "minidl"]


FORK = """
import os, threading, warnings
import numpy as np
import minidl
warnings.simplefilter("ignore")  # newer Pythons warn of fork beside threads
stop = False
def busy():
    minidl.memory.install()
    while not stop:
        np.empty(100), np.empty(2_000_000)
threads = [threading.Thread(target=busy) for _ in range(2)]
for t in threads: t.start()
data = np.arange(500_000.0)
for _ in range(20):
    child = os.fork()
    if not child:
        kept = [np.full(n, 3.0) for n in (10, 1000, 500_000)]
        del data
        kept.append(np.zeros(500_000))
        os._exit(0 if sum(a.sum() for a in kept) == 3 * 501_010 else 1)
    assert os.waitpid(child, 0)[1] == 0
stop = True
for t in threads: t.join()
assert data.sum() == 499_999 * 250_000
print("whole")
"""


def in_child(array):
    stats = memory.memory_stats()
    return get_handler_name(np.empty(3)), float(array.sum()), stats.bound > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_finds_the_allocator_whole():
    assert run(FORK) == "whole"


def test_a_spawned_child_has_an_allocator_of_its_own():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(in_child, (np.ones(3000),)) == ("minidl", 3000.0, True)


@pytest.mark.parametrize("make", [np.empty, np.zeros])
def test_sizes_nobody_has_are_an_error(make):
    with pytest.raises(MemoryError):
        make(2**61, np.uint8)


LIMITED = """
import resource
import numpy as np
import minidl
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20,) * 2)
minidl.set_memory_bound(2**40)
for _ in range(3):
    try:
        np.empty(300 * 2**20, np.uint8)
    except MemoryError:
        print("error", end=" ")
# 100 MiB lie in the cache: what does not fit beside them replaces them.
np.empty(100 * 2**20, np.uint8)
assert minidl.memory_stats().cached > 100 * 2**20
kept = np.zeros(150 * 2**20, np.uint8)
assert minidl.memory_stats().cached == 0
print(kept.any())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_out_of_memory_is_an_error_and_the_cache_is_given_back_first():
    assert run(LIMITED) == "error error error False"


def test_the_environment_switches_it_off():
    code = "import minidl, numpy as np\nfrom numpy._core.multiarray import get_handler_name as name"
    show = f"{code}\nprint(name(np.empty(3)), minidl.memory.state(), minidl.memory_stats().misses)"
    assert run(show, MINIDL_ALLOCATOR="off") == "default_allocator off (MINIDL_ALLOCATOR) 0"
    assert run(show, MINIDL_ALLOCATOR="").startswith("minidl in use")


def test_without_the_extension_nothing_changes(monkeypatch):
    monkeypatch.setattr(memory.backend, "load", lambda family, telling: "not built")
    assert memory.install() is False
    assert memory.state() == "not built"
    assert memory.empty_cache() == 0
    assert memory.memory_stats() == memory.MemoryStats(0, 0, 0, 0, 0, 0, 0)
    memory.set_memory_bound(5)
    memory.uninstall()


def test_tracemalloc_sees_the_arrays():
    tracemalloc.start()
    try:
        array = np.empty(5 * MIB, np.uint8)
        held = tracemalloc.get_traced_memory()[0]
        del array
        assert held - tracemalloc.get_traced_memory()[0] >= 5 * MIB
    finally:
        tracemalloc.stop()


def test_limits_of_control_groups_are_found(tmp_path):
    own = tmp_path / "own"
    own.write_text("4:memory:/a/b\n0::/c\n2:cpu:/a\n")
    for name, text in {
        "memory/a/memory.limit_in_bytes": "5000\n",
        "memory/a/b/memory.limit_in_bytes": "7000\n",
        "c/memory.max": "max\n",
        "memory.max": "9000\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sorted(memory._control_groups(tmp_path, own)) == [5000, 7000, 9000]
    assert list(memory._control_groups(tmp_path, tmp_path / "none")) == []
    assert 0 < memory.available() < 2**62


CONVOLUTIONS = """
import gc
import numpy as np
from minidl import memory
from minidl.kernels import conv2d_cython as kernels

x, dy = np.ones((4, 8, 33, 33), np.float32), np.ones((4, 64, 17, 17), np.float32)
weight, each = np.ones((64, 8, 3, 3), np.float32), np.ones((8, 1, 3, 3), np.float32)
options = (2, 2), (1, 1), (1, 1)


def convolve():
    kernels.forward(x, weight, None, *options, 1)
    kernels.backward_input(dy, weight, x.shape, *options, 1)
    kernels.backward_weight(dy, x, weight.shape, *options, 1)
    kernels.backward_input(dy, weight[:, :1].copy(), (4, 1, 33, 33), *options, 1)
    kernels.forward(x, each, None, *options, 8)
    kernels.backward_weight(dy[:, :8].copy(), x, each.shape, *options, 8)


convolve()
gc.collect()
before = memory.memory_stats()
convolve()
gc.collect()
after = memory.memory_stats()
print(after.in_use - before.in_use, after.misses - before.misses, after.hits - before.hits > 24)
"""


def test_convolutions_work_in_kept_memory_and_give_it_back():
    assert run(CONVOLUTIONS, MINIDL_NUM_THREADS="1") == "0 0 True"
    assert run(CONVOLUTIONS, MINIDL_NUM_THREADS="1", MINIDL_ALLOCATOR="off") == "0 0 False"
