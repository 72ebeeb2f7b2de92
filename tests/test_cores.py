"""The cores a process may use, from files as Linux has them."""

import math
import os

import pytest
from minidl.kernels import cores


def files(root, contents):
    """Write files below `root`: {path: text}."""
    for path, text in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


V1 = "12:memory:/docker/ab\n4:cpuacct,cpu:/docker/ab\n0::/\n"
CPU = "sys/fs/cgroup/cpu"


@pytest.mark.parametrize(
    ("contents", "granted"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/cpu.max": "400000 100000\n",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000\n"}, math.inf),
        (
            {"proc/self/cgroup": V1, "sys/fs/cgroup/unified/cpu.max": "250000 100000\n"},
            2.5,
        ),
        ({"proc/self/cgroup": V1}, math.inf),
        ({"proc/self/cgroup": V1, f"{CPU}/docker/ab/cpu.cfs_quota_us": "200000\n"}, math.inf),
        (
            {
                "proc/self/cgroup": V1,
                f"{CPU}/docker/ab/cpu.cfs_quota_us": "-1\n",
                f"{CPU}/docker/ab/cpu.cfs_period_us": "100000\n",
            },
            math.inf,
        ),
        (  # in a container its group is the top of what it sees
            {
                "proc/self/cgroup": V1,
                f"{CPU}/cpu.cfs_quota_us": "50000\n",
                f"{CPU}/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
    ],
)
def test_time_is_what_the_groups_grant(tmp_path, contents, granted):
    assert cores.granted(files(tmp_path, contents)) == granted


@pytest.mark.parametrize(("granted", "count"), [(math.inf, 5), (0.2, 1), (1, 1), (1.5, 2), (9, 5)])
def test_cores_are_the_fewer_of_both(monkeypatch, granted, count):
    monkeypatch.setattr(cores, "granted", lambda: granted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(5), raising=False)
    assert cores.available_cores() == count
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cores.available_cores() == count
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.available_cores() == 1
