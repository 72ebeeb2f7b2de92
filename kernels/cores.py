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
    grants = [math.inf]
    mounts = Path(root, "sys/fs/cgroup")
    for line in _read(Path(root, "proc/self/cgroup")).splitlines():
        number, controllers, path = line.split(":", 2)
        group = Path(path.lstrip("/"))
        if number == "0":
            tops, files = [mounts, mounts / "unified"], ["cpu.max"]
        elif "cpu" in controllers.split(","):
            tops, files = [mounts / "cpu"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        for folder in (top / each for top in tops for each in (group, *group.parents)):
            numbers = " ".join(_read(folder / file) for file in files).split()
            if len(numbers) == 2 and all(n.isdigit() and int(n) for n in numbers):
                grants.append(int(numbers[0]) / int(numbers[1]))
    return min(grants)


def _read(path):
    """Return what a file of the system says, or nothing where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
