"""Fuzz the compiled kernels in a build that checks every index and every access to memory.

    python tests/fuzz/run.py [--seed N] [pytest arguments]

builds it into build/bounds-checked and runs tests/fuzz there for each instruction set the kernels
are written for: plain numbers, 16 bytes, AVX2, and the shapes of AVX-512 made of AVX2 instructions.
The Numba twins take their turn with Numba's own checks. With a seed other examples are drawn.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bounds-checked"
SETS = ("scalar", "baseline", "avx2", "avx512")


def build():
    """Build the checked copy; again only what has changed."""
    environment = {**os.environ, "MINIDL_BOUNDS_CHECK": "1", "MINIDL_REQUIRE_CYTHON": "1"}
    folders = ["--build-base", str(BUILD / "temp"), "--build-lib", str(BUILD / "lib")]
    command = [sys.executable, "setup.py", "--quiet", "build", *folders]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def runtime(name):
    """Return the path of one of GCC's libraries."""
    command = ["gcc", f"-print-file-name={name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def environment(name):
    """Return what a run needs: for Numba its own checks, for the others the checked build's."""
    common = {
        **os.environ,
        "MINIDL_FUZZ": "long",
        "MINIDL_FUZZ_NOTE": str(BUILD / f"calling-{name}.txt"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if name == "numba":
        return {**common, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(BUILD / "numba")}
    return {
        **common,
        "MINIDL_SIMD": name,
        "PYTHONPATH": str(BUILD / "lib"),
        "PYTHONSAFEPATH": "1",
        "LD_PRELOAD": f"{runtime('libasan.so')}:{runtime('libubsan.so')}",
        # Fresh memory is full of NaN, so that what is used before it is set shows.
        "ASAN_OPTIONS": "detect_leaks=0:malloc_fill_byte=255:max_malloc_fill_size=1000000000",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def run(name, arguments):
    """Run the suite once; return (what failed or None, its output)."""
    where = environment(name)
    tests = ["tests/fuzz/test_fuzz_kernels.py", "tests/fuzz/test_fuzz_layouts.py"]
    mine = ["-k", "numba" if name == "numba" else "not numba"]
    # -s: what a sanitizer says before it aborts would be lost in captured output.
    chosen = ["--quiet", "-s", "-p", "no:cacheprovider", *tests, *mine, *arguments]
    if any(a.startswith("--hypothesis-seed") for a in arguments):
        where["MINIDL_FUZZ"] = "free"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *chosen],
        cwd=ROOT,
        env=where,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    note = Path(where["MINIDL_FUZZ_NOTE"])
    if done.returncode < 0 or "Sanitizer" in done.stdout:
        return name, f"{done.stdout}\nwhile calling {note.read_text()}"
    return name if done.returncode else None, done.stdout


def main():
    """Build, run everything two at a time, and say what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="draw other examples than the usual ones")
    parser.add_argument("--only", choices=[*SETS, "numba"], help="one instruction set, or numba")
    known, arguments = parser.parse_known_args()
    if known.seed is not None:
        arguments.append(f"--hypothesis-seed={known.seed}")
    build()
    names = [known.only] if known.only else ["numba", *SETS]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda name: run(name, arguments), names))
    for name, (failed, output) in zip(names, outcomes, strict=True):
        lines = output.strip().splitlines()
        print(f"fuzz {name}: {lines[-1] if lines else 'no output'}")
        if failed:
            print(output)
    return 1 if any(failed for failed, _ in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
