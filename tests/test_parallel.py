"""Ranges cut over threads: every item once, in order, whatever goes wrong."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import threadpoolctl
from minidl.kernels import parallel, parallel_cython
from numpy._core.multiarray import get_handler_name

from minidl import memory


class Watched:
    """A flag in Python, which counts how often it was watched in vain."""

    in_vain = 0

    def __init__(self):
        self.event = threading.Event()
        self.set, self.clear = self.event.set, self.event.clear

    def watch(self, seconds, first=None):
        if first is not None:
            first.set()
        seen = self.event.wait(seconds)
        Watched.in_vain += not seen
        return seen


@pytest.fixture(autouse=True, params=[parallel.Flag, parallel.Unwatched])
def restored(request, monkeypatch):
    monkeypatch.setattr(parallel, "Flag", request.param)
    monkeypatch.setattr(parallel, "_state", parallel._State(parallel.get_count()))
    yield
    parallel.set_count(1)


def run(code, **environment):
    """Run `code` in a process of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [0, 1, 2, 5, 100])
@pytest.mark.parametrize("least", [0, 1, 3, 1000])
def test_every_item_is_worked_on_once_and_results_come_in_order(count, total, least):
    parallel.set_count(count)
    parts = parallel.run(lambda start, stop: (start, stop), total, least)
    assert [i for start, stop in parts for i in range(start, stop)] == list(range(total))
    assert len(parts) == max(min(count, total // max(least, 1)), 1)


def test_parts_run_at_the_same_time():
    parallel.set_count(3)
    parallel.run(met(3, lambda start, stop: None), 3)


def met(count, result):
    """Return work whose parts wait for each other, so that each has a thread of its own."""
    meeting = threading.Barrier(count, timeout=20)

    def work(start, stop):
        meeting.wait()
        return result(start, stop)

    return work


def test_the_threads_of_the_team_stay():
    parallel.set_count(3)
    ident = met(3, lambda start, stop: threading.get_ident())
    names = [parallel.run(ident, 3) for _ in range(5)]
    assert len({tuple(n) for n in names}) == 1
    assert names[0][0] == threading.get_ident()


def test_threads_that_watch_miss_nothing(monkeypatch):
    monkeypatch.setattr(parallel, "Flag", Watched)
    monkeypatch.setattr(parallel, "AWAKE", 20)
    monkeypatch.setattr(parallel, "GRACE", 20)
    monkeypatch.setattr(parallel, "_cores", 3)
    Watched.in_vain = 0
    parallel.set_count(3)
    for turn in range(200):
        parts = parallel.run(met(3, lambda a, b, turn=turn: turn + a), 3)
        assert parts == [turn, turn + 1, turn + 2]
    team = parallel._state.team
    assert not any(called.event.is_set() for _, called in team)
    parallel.set_count(2)
    assert all(called.event.is_set() for _, called in team)
    assert Watched.in_vain == 0


def test_threads_without_work_sleep():
    parallel.set_count(2)
    parallel.run(lambda a, b: None, 2)
    time.sleep(10 * parallel.AWAKE)
    before = time.process_time()
    time.sleep(200 * parallel.AWAKE)
    assert time.process_time() - before < 20 * parallel.AWAKE


def test_small_work_does_not_wake_the_team_unless_more_follows(monkeypatch):
    monkeypatch.setattr(parallel, "AWAKE", 20)
    monkeypatch.setattr(parallel, "_cores", 2)
    parallel.set_count(2)

    def ident(start, stop):
        return threading.get_ident()

    small, large = (4, 2), (2 * 2 * parallel.WAKE, 2)
    assert parallel.run(ident, *small) == [threading.get_ident()] * 2
    if parallel.Flag is not parallel.Unwatched:
        assert len(set(parallel.run(met(2, ident), *small))) == 2
    monkeypatch.setattr(parallel._state, "awake_until", 0)
    assert len(set(parallel.run(met(2, ident), *large))) == 2
    monkeypatch.setattr(parallel._state, "awake_until", 0)
    assert len(set(parallel.run(met(2, ident), *small, 1))) == 2
    monkeypatch.setattr(parallel, "AWAKE", 0)
    parallel.run(ident, *small)
    assert parallel.run(ident, *small) == [threading.get_ident()] * 2


def test_parts_that_nobody_has_begun_are_the_callers(monkeypatch):
    parallel.set_count(3)
    slow = threading.Event()
    monkeypatch.setattr(parallel, "_live", lambda queue, called: slow.wait(20))
    ran = parallel.run(lambda a, b: (a, threading.get_ident()), 3)
    slow.set()
    assert ran == [(i, threading.get_ident()) for i in range(3)]


def test_an_interrupt_leaves_parts_that_nobody_has_begun(monkeypatch):
    parallel.set_count(3)
    slow, begun, take = threading.Event(), [], parallel._Part.take

    def interrupted(part):
        first = take(part)
        if first and not begun:
            begun.append(part)
            raise KeyboardInterrupt
        return first

    monkeypatch.setattr(parallel, "_live", lambda queue, called: slow.wait(20))
    monkeypatch.setattr(parallel._Part, "take", interrupted)
    done = []
    with pytest.raises(KeyboardInterrupt):
        parallel.run(lambda a, b: done.append(a), 3)
    slow.set()
    assert done == [0]


def test_nobody_stays_awake_with_more_threads_than_cores(monkeypatch):
    parallel.set_count(3)
    monkeypatch.setattr(parallel, "_cores", 3)
    assert parallel._awake() == (0 if parallel.Flag is parallel.Unwatched else parallel.AWAKE)
    monkeypatch.setattr(parallel, "_cores", 2)
    assert parallel._awake() == 0


def test_a_flag_is_watched_without_the_interpreters_lock():
    flag, other = parallel_cython.Flag(), parallel_cython.Flag()
    assert not flag.watch(1e-4)
    threading.Timer(0.01, flag.set).start()
    assert flag.watch(20, first=other)
    assert other.watch(0)
    assert flag.watch(0)
    flag.clear()
    assert not flag.watch(0)


def test_a_run_inside_a_part_is_serial():
    parallel.set_count(2)
    inner = parallel.run(lambda a, b: (b - a, parallel.run(lambda c, d: (c, d), 10)), 2)
    assert inner == [(1, [(0, 10)]), (1, [(0, 10)])]
    assert len(parallel.run(lambda a, b: None, 2)) == 2


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_an_error_in_a_part_comes_out_after_all_parts_are_done(wrong):
    parallel.set_count(3)
    done = []

    def work(start, stop):
        if start == wrong:
            raise ValueError(f"part {start}")
        time.sleep(0.05)
        done.append(start)

    with pytest.raises(ValueError, match=f"part {wrong}"):
        parallel.run(work, 3)
    assert sorted(done) == sorted({0, 1, 2} - {wrong})
    assert parallel.run(lambda a, b: a, 3) == [0, 1, 2]


def test_parts_run_in_the_context_of_the_caller():
    parallel.set_count(2)
    zero = np.zeros(3)
    for _ in range(2):
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            parallel.run(lambda a, b: a and 1 / zero, 2)
        with np.errstate(divide="ignore"):
            assert np.isinf(parallel.run(lambda a, b: 1 / zero, 2)).all()
    memory.install()
    names = parallel.run(lambda a, b: get_handler_name(np.empty(3)), 2)
    assert names == [get_handler_name(np.empty(3))] * 2


def test_of_several_errors_the_first_in_order_comes_out():
    parallel.set_count(3)

    def work(start, stop):
        time.sleep(0.02 * (3 - start))
        raise ValueError(f"part {start}")

    with pytest.raises(ValueError, match="part 0"):
        parallel.run(work, 3)


INTERRUPTED = """
import os, signal, threading, time
from minidl.kernels import parallel, parallel_cython
parallel.set_count(2)
finished, begun = [], threading.Event()
def work(start, stop):
    if start:
        begun.set()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
    begun.wait(20)
    {own}
    finished.append(start)
try:
    parallel.run(work, 2)
except KeyboardInterrupt:
    print("interrupted", 1 in finished)
print(parallel.run(lambda a, b: a, 2), threading.active_count())
"""


@pytest.mark.parametrize("own", ["pass", "time.sleep(0 if start else 5)"])
@pytest.mark.skipif(os.name == "nt", reason="no signals between processes")
def test_an_interrupt_waits_for_the_parts_and_leaves_everything_usable(own):
    assert run(INTERRUPTED.format(own=own)).split("\n") == ["interrupted True", "[0, 1] 2"]


def test_the_count_may_change_while_others_run():
    parallel.set_count(2)
    wrong = []

    def caller():
        for _ in range(300):
            parts = parallel.run(lambda a, b: b - a, 60)
            if sum(parts) != 60:
                wrong.append(parts)

    callers = [threading.Thread(target=caller) for _ in range(3)]
    for thread in callers:
        thread.start()
    for step in range(100):
        parallel.set_count(1 + step % 4)
    for thread in callers:
        thread.join(30)
        assert not thread.is_alive()
    assert not wrong


def test_threads_of_a_former_team_end():
    before = threading.active_count()
    for count in (4, 2, 5, 1):
        parallel.set_count(count)
        parallel.run(lambda a, b: None, 8)
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_one_count_gives_one_sum():
    parallel.set_count(3)
    x = np.random.default_rng(0).normal(size=100_003).astype(np.float32)
    sums = {sum(parallel.run(lambda a, b: x[a:b].sum(), len(x))).tobytes() for _ in range(20)}
    assert len(sums) == 1


FORK = """
import os, threading, warnings
from minidl.kernels import parallel, parallel_cython
warnings.simplefilter("ignore")  # newer Pythons warn of fork beside threads
parallel.set_count(3)
parallel.run(lambda a, b: a, 3)
child = os.fork()
if not child:
    ok = parallel.run(lambda a, b: a, 3) == [0, 1, 2] and parallel.get_count() == 3
    os._exit(0 if ok and threading.active_count() == 3 else 1)
assert os.waitpid(child, 0)[1] == 0
def nested(start, stop):
    child = os.fork()
    if not child:
        os._exit(0 if parallel.run(lambda a, b: (a, b), 9) == [(0, 9)] else 1)
    return os.waitpid(child, 0)[1]
print(parallel.run(nested, 3))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_builds_a_team_of_its_own():
    assert run(FORK) == "[0, 0, 0]"


def test_a_process_ends_though_its_team_waits():
    assert run("from minidl.kernels import parallel as p; p.set_count(3); print(p.run(max, 3))")


def test_where_no_thread_can_start_the_caller_does_everything(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    parallel.set_count(4)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert parallel.run(lambda a, b: a, 4) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"MINIDL_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"MINIDL_NUM_THREADS": "", "OMP_NUM_THREADS": "5,2"}, 5),
        ({"MINIDL_NUM_THREADS": "0", "OMP_NUM_THREADS": "many"}, parallel.available_cores()),
    ],
)
def test_the_environment_gives_the_count(monkeypatch, environment, count):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert parallel.default_count() == count


def blas_counts():
    return {p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"}


def test_blas_has_one_thread_in_products_and_parts():
    parallel.set_count(2)
    threadpoolctl.threadpool_limits(2)
    parallel.run(lambda a, b: None, 2)
    assert blas_counts() == {1}
    parallel.set_count(2)
    threadpoolctl.threadpool_limits(2)
    parallel.product(np.ones((2, 2)), np.ones((2, 2)))
    assert blas_counts() == {1}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shape", [(301, 300, 299), (3, 600, 1001), (1001, 600, 3)])
@pytest.mark.parametrize("lead", [(), (2, 3)])
def test_large_products_are_cut_and_right(monkeypatch, count, shape, lead):
    monkeypatch.setattr(parallel, "LARGE", 2**18)
    parallel.set_count(count)
    rows, k, n = shape
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(*lead, rows, k)), rng.normal(size=(n, k)).T
    cuts = []
    real = parallel.run

    def run(work, total, least):
        cuts.append(len(real(work, total, least)))

    monkeypatch.setattr(parallel, "run", run)
    y = parallel.product(a, b)
    assert cuts == ([count] if count > 1 else [])
    np.testing.assert_allclose(y, a @ b, rtol=1e-10, atol=1e-10)
    assert y.dtype == np.float64


def test_products_that_do_not_fit_are_refused_by_numpy(monkeypatch):
    monkeypatch.setattr(parallel, "LARGE", 10)
    parallel.set_count(2)
    with pytest.raises(ValueError, match="mismatch"):
        parallel.product(np.ones((20, 30)), np.ones((31, 20)))
    assert parallel.product(np.ones((0, 30)), np.ones((30, 20))).shape == (0, 20)
    assert parallel.product(np.ones((5, 0)), np.ones((0, 20))).sum() == 0


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((4, 2, 3), (3, 5))]
)
def test_products_are_numpys(shapes):
    a, b = (np.random.default_rng(1).normal(size=shape) for shape in shapes)
    np.testing.assert_array_equal(parallel.product(a, b), a @ b)
