"""What the numbers depend on: the machine, the versions, the threads."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import threadpoolctl

from minidl import doctor, memory


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
    found.update(pools())
    if lib.name in packages:
        found["minidl's allocator"] = memory.state()
    if lib.name == "torch":
        found["torch threads"] = str(lib.torch.get_num_threads())
        found["instructions"] = lib.torch.backends.cpu.get_cpu_capability()
    return found


def pools() -> dict[str, str]:
    """Return the BLAS and OpenMP libraries of this process, and the threads each uses."""
    found = {}
    for pool in threadpoolctl.threadpool_info():
        version, architecture = pool.get("version") or "", pool.get("architecture", "")
        name = " ".join(f"{pool['internal_api']} {version} {architecture}".split())
        found[name] = f"{pool['num_threads']} thread(s)"
    return found
