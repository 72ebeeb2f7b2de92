"""How many cores this process may use: fewer than the machine has, in a container or a job.

Linux takes cores away in two ways: a process may be bound to some of them, and its control group
may get less time than they have (`docker run --cpus 2`). With more threads than that, each would
wait for the others most of the time.
"""

import math
import os
from pathlib import Path


def available_cores():
    """Return how many cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(math.ceil(min(cores, granted())), 1)


def granted(root="/"):
    """Return the cores' worth of time that the control groups of this process get, or infinity.

    `root` is the folder in which proc and sys are. See cgroups(7), and cpu.max in the kernel's
    documentation of control groups, version 2; cpu.cfs_quota_us in that of version 1.
    """
    least = math.inf
    for line in _read(Path(root, "proc/self/cgroup")).splitlines():
        number, controllers, path = line.split(":", 2)
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        top = Path(root, "sys/fs/cgroup", *([controllers] if number != "0" else []))
        group = Path(path.lstrip("/"))
        for folder in (top / group, *(top / parent for parent in group.parents)):
            if number == "0":
                quota, period = (_read(folder / "cpu.max").split() or ["max", "1"])[:2]
            else:
                quota, period = (_read(folder / f"cpu.cfs_{n}_us") for n in ("quota", "period"))
            if quota.strip().isdigit() and int(quota):
                least = min(least, int(quota) / int(period))
    return least


def _read(path):
    """Return what a file of the system says, or nothing where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
