"""What this machine offers: versions, cores, which kernels serve what and why, confinement.

`minidl doctor` prints all of it; `minidl doctor --brief` says in a few lines what is missing.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import threadpoolctl
from rich.console import Console

import minidl.kernels
from minidl import autograd, backend, memory, threads
from minidl.grading import confine
from minidl.terminal import cells, table

PACKAGES = ("numpy", "numba", "cython", "matplotlib", "nbclient", "ipykernel")
# What is not among the dependencies, and what it is for.
OPTIONAL = {
    "cython": "not installed (needed only while the extensions are built)",
    "nbclient": "not installed; pip install 'minidl[notebooks]' to execute lessons",
    "ipykernel": "not installed; pip install 'minidl[notebooks]' to execute lessons",
}


def versions() -> list[tuple[str, str]]:
    """Return what is installed, and in which version."""
    rows = [
        ("minidl", _version("minidl")),
        ("Python", f"{platform.python_version()} at {sys.executable}"),
    ]
    return [*rows, *((name, _version(name)) for name in PACKAGES), ("BLAS", blas())]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return OPTIONAL.get(package, "not installed")


def blas() -> str:
    """Return the name of the library that multiplies NumPy's matrices, and its threads."""
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "blas":
            version = pool.get("version") or "unknown version"
            return f"{pool['internal_api']} {version}, {pool['num_threads']} threads"
    config = np.show_config(mode="dicts")
    return str(config["Build Dependencies"]["blas"]["name"])


def machine() -> list[tuple[str, str]]:
    """Return the processor, the cores this process may use, and the compiler."""
    return [
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("processor", processor()),
        ("cores", f"{threads.available_cores()} of {os.cpu_count()} may be used"),
        ("threads", f"{threads.get_num_threads()} (minidl.set_num_threads changes it)"),
        ("vectors", vectors()),
        ("memory", allocator()),
        ("C compiler", compiler() or "none found"),
        ("Python headers", "found" if headers() else "none found"),
        ("tape", f"{autograd.telling}: {autograd.reason}"),
    ]


def vectors() -> str:
    """Return the instruction set that the C kernels run with."""
    heap = backend.load("allocator", "cython")
    if isinstance(heap, str):
        return f"unknown, the allocator's extension is {heap}"
    cap = os.environ.get("MINIDL_SIMD")
    return f"{heap.instruction_set()}" + (f" (MINIDL_SIMD={cap})" if cap else "")


def allocator() -> str:
    """Return whether arrays share kept memory, and how much may be kept."""
    bound = memory.memory_stats().bound / 2**30
    kept = f", keeps at most {bound:.1f} GiB" if memory.state() == "in use" else ""
    return f"minidl's allocator is {memory.state()}{kept}"


def processor() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def compiler() -> str | None:
    """Return the path of the C compiler that would build the extensions, or None."""
    wanted = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    names = [wanted.split()[0], "cc", "gcc", "clang", "cl"]
    return next((path for path in map(shutil.which, names) if path), None)


def headers() -> bool:
    """Return whether Python's own C headers are installed."""
    return (Path(sysconfig.get_path("include")) / "Python.h").is_file()


def extensions() -> dict[str, str]:
    """Return for each family with a Cython kernel "built", or why it cannot be used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        loaded = {family: backend.load(family, "cython") for family in _sources()}
    return {f: found if isinstance(found, str) else "built" for f, found in loaded.items()}


def _sources() -> list[str]:
    """Return the families whose kernels are written in Cython, built or not."""
    files = [path for folder in minidl.kernels.__path__ for path in Path(folder).iterdir()]
    return sorted(file.stem.removesuffix("_cython") for file in files if file.suffix == ".pyx")


def unusable() -> dict[str, str]:
    """Return the Cython kernels that cannot be used, and why."""
    return {family: state for family, state in extensions().items() if state != "built"}


def kernels() -> list[tuple[str, str, str, str]]:
    """Return family, functions, who serves them and why, functions of one answer together."""
    together: dict[tuple[str, str, str], list[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        rows = backend.table()
    for row in rows:
        lacking = row.why.endswith(f"has no {row.function}")
        why = row.why.removesuffix(row.function) + "such function" if lacking else row.why
        together.setdefault((row.family, row.serving, why), []).append(row.function)
    return [(f, ", ".join(names), serving, why) for (f, serving, why), names in together.items()]


def advice() -> list[str]:
    """Return what is missing and what to do about it, one line each; empty when nothing is."""
    lines = []
    broken = unusable()
    if broken:
        instead = ", ".join(sorted({row[2] for row in kernels() if row[0] in broken}))
        lines.append(
            f"Cython kernels missing: {_grouped(broken)}. Serving instead: {instead}; "
            "results are the same, some are slower."
        )
        lines.append(_how_to_build())
    # A user of its own is what root alone can give, and no loss to anybody else.
    optional = () if getattr(os, "getuid", lambda: -1)() == 0 else (confine.OWN_USER,)
    missing = [layer.name for layer in confine.layers() if not layer.available]
    without = [name for name in missing if name not in optional]
    if without:
        lines.append(
            f"Confinement without {', '.join(without)}: submissions you do not trust are better "
            "graded on a Linux machine that offers it."
        )
    return lines


def _grouped(broken: dict[str, str]) -> str:
    reasons: dict[str, list[str]] = {}
    for family, why in broken.items():
        reasons.setdefault(why, []).append(family)
    return "; ".join(f"{', '.join(families)} ({why})" for why, families in reasons.items())


def _how_to_build() -> str:
    missing = []
    if compiler() is None:
        missing.append("a C compiler")
    if not headers():
        missing.append("Python's headers")
    if missing:
        return (
            f"To build them: install {' and '.join(missing)} (Debian, Ubuntu: apt-get install "
            "build-essential python3-dev), then pip install --force-reinstall --no-deps minidl, "
            "or in a clone: touch setup.py && make setup."
        )
    return (
        "To build them and see the compiler's messages: "
        "MINIDL_REQUIRE_CYTHON=1 pip install -v --no-deps -e . in a clone."
    )


def brief() -> list[str]:
    """Return one to three lines: what is ready, what is missing, what to do."""
    broken = unusable()
    built = len(extensions()) - len(broken)
    first = f"minidl {_version('minidl')}: {threads.available_cores()} cores"
    if not broken:
        return [f"{first}; NumPy, Numba and {built} compiled Cython kernels are ready."]
    return [f"{first}; NumPy and Numba are ready.", *advice()[:2]]


def demanded() -> bool:
    """Return whether MINIDL_REQUIRE_CYTHON asks for every extension."""
    return os.environ.get("MINIDL_REQUIRE_CYTHON", "") not in ("", "0")


def show(console: Console) -> None:
    """Print everything."""
    for title, rows in (("Versions", versions()), ("Machine", machine())):
        shown = table(title, "")
        for name, value in rows:
            shown.add_row(*cells(name, value))
        console.print(shown)
    shown = table("Kernels", "functions", "served by", "why")
    for row in kernels():
        shown.add_row(*cells(*row))
    console.print(shown)
    shown = table("Cython extension", "state")
    for extension in extensions().items():
        shown.add_row(*cells(*extension))
    if shown.rows:
        console.print(shown)
    shown = table("Confinement of submissions", "here", "used", "what it does")
    layers = confine.layers()
    for layer in layers:
        yes = ["yes" if fact else "no" for fact in (layer.available, layer.used)]
        shown.add_row(*cells(layer.name, *yes, layer.note))
    console.print(shown)
    isolation = confine.in_words(", ".join(layer.name for layer in layers if layer.used))
    console.print(f"Isolation of submissions: {isolation}.", soft_wrap=True)
    console.print("To try it: minidl selftest")
    for line in advice() or ["Nothing is missing."]:
        console.print(line)
