"""What the numbers depend on: the machine, the versions, the threads."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import threadpoolctl

from minidl import doctor


def machine() -> dict[str, str]:
    """Return the processor, the system and Python."""
    return {
        "processor": doctor.processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
    }


def versions(lib: Any) -> dict[str, str]:
    """Return the versions behind one side, and the threads its BLAS and OpenMP use."""
    packages = {"minidl": ("minidl", "numpy", "numba"), "numpy": ("numpy",)}
    found = {name: metadata.version(name) for name in packages.get(lib.name, (lib.name,))}
    for pool in threadpoolctl.threadpool_info():
        version = pool.get("version") or ""
        name = f"{pool['internal_api']} {version} {pool.get('architecture', '')}".split()
        found[" ".join(name)] = f"{pool['num_threads']} threads"
    if lib.name == "torch":
        found["torch threads"] = str(lib.torch.get_num_threads())
        found["instructions"] = lib.torch.backends.cpu.get_cpu_capability()
    return found
