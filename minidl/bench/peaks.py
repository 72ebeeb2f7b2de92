"""What this machine can do at most, on one thread: arithmetic, and memory level by level.

The FMA peak comes from twelve independent chains of fused multiply-adds on the widest vectors the
processor has, written as LLVM's own language so that nothing but a register file is exercised.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
import numpy as np

CHAINS = 12
LOOPS = 200_000


def best(call: Callable[[], object], rounds: int = 7) -> float:
    """Return the shortest processor time of a call, in seconds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


def lanes() -> int:
    """Return how many float32 values one vector of this processor holds."""
    features = llvm.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx2") else 4


def _chains(width: int) -> str:
    """Return a function of LLVM: float peak(i64 loops, float x)."""
    vector = f"<{width} x float>"
    start = "\n".join(f"  %a{i} = phi {vector} [%x, %entry], [%b{i}, %loop]" for i in range(CHAINS))
    body = "\n".join(
        f"  %b{i} = call {vector} @llvm.fma.v{width}f32({vector} %a{i}, {vector} %x, {vector} %x)"
        for i in range(CHAINS)
    )
    sums, last = [], "%b0"
    for i in range(1, CHAINS):
        sums.append(f"  %s{i} = fadd {vector} {last}, %b{i}")
        last = f"%s{i}"
    return f"""
declare {vector} @llvm.fma.v{width}f32({vector}, {vector}, {vector})
define float @peak(i64 %n, float %value) {{
entry:
  %one = insertelement {vector} undef, float %value, i32 0
  %x = shufflevector {vector} %one, {vector} undef, <{width} x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
{start}
{body}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
{chr(10).join(sums)}
  %out = extractelement {vector} {last}, i32 0
  ret float %out
}}
"""


@contextmanager
def chains() -> Iterator[Callable[[int, float], float]]:
    """Compile run(loops, x): every lane of every chain starts at x and repeats a <- a x + x.

    It returns the sum of the chains' first lanes.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    module = llvm.parse_assembly(_chains(lanes()))
    module.verify()
    with llvm.create_mcjit_compiler(module, target) as engine:
        engine.finalize_object()
        signature = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)
        yield signature(engine.get_function_address("peak"))


def fma() -> float:
    """Return GF/s of fused multiply-adds on registers."""
    with chains() as run:
        seconds = best(lambda: run(LOOPS, 0.5))
    return 2 * lanes() * CHAINS * LOOPS / seconds / 1e9


def sgemm(size: int = 1536) -> float:
    """Return GF/s of NumPy's product of two large float32 matrices."""
    a = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    return 2 * size**3 / best(lambda: a @ a, 3) / 1e9


# Additions in any order: without that a sum waits for each addition and not for memory.
@numba.njit(fastmath={"reassoc", "nsz"}, cache=False)
def _read(x, times):
    total = np.float32(0)
    for _ in range(times):
        part = np.float32(0)
        for i in range(x.size):
            part += x[i]
        total = max(total, part)
    return total


@numba.njit(fastmath={"contract"}, cache=False)
def _triad(a, b, c, scale):
    for i in range(a.size):
        a[i] = b[i] + scale * c[i]


@numba.njit(cache=False)
def _scale(a, b, scale):
    for i in range(a.size):
        a[i] = scale * b[i]


def copy(size: int = 2**23) -> float:
    """Return GB/s of a = s b on arrays of `size` bytes, as the rows have them; both count."""
    a, b, scale = np.ones(size // 4, np.float32), np.ones(size // 4, np.float32), np.float32(0.5)
    _scale(a, b, scale)
    return 2 * a.nbytes / best(lambda: _scale(a, b, scale)) / 1e9


def read(size: int) -> float:
    """Return GB/s of reading an array of `size` bytes again and again."""
    x = np.ones(size // 4, np.float32)
    times = max(1, 2**25 // size)
    _read(x, times)
    return x.nbytes * times / best(lambda: _read(x, times)) / 1e9


def triad(size: int = 2**26) -> float:
    """Return GB/s of a = b + s c on arrays of `size` bytes; three arrays count, as in STREAM."""
    a, b, c = (np.ones(size // 4, np.float32) for _ in range(3))
    scale = np.float32(0.5)
    _triad(a, b, c, scale)
    return 3 * a.nbytes / best(lambda: _triad(a, b, c, scale)) / 1e9


def measure() -> dict[str, float]:
    """Return GF/s of FMA and sgemm, GB/s of triad and copy, and of reading from each level."""
    return {
        "fma_gflops": fma(),
        "sgemm_gflops": sgemm(),
        "triad_gbs": triad(),
        "copy_gbs": copy(),
        "read_dram_gbs": read(2**28),
        "read_l3_gbs": read(2**22),
        "read_l2_gbs": read(2**18),
        "read_l1_gbs": read(2**14),
    }
