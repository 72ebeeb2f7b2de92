"""What the tests of the sandbox share: a submission, short limits, and looking at processes."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from minidl.grading import confine
from minidl.grading.sandbox import Limits
from minidl.grading.student import StudentFailure

SHORT = Limits(call_seconds=2.0, load_seconds=2.0, memory_bytes=384 * 2**20)
PATIENCE = 30.0

HONEST = b"""
import numpy as np

calls = 0

def double(x):
    return 2 * x

def count():
    global calls
    calls += 1
    return calls

def damage(x, items, *, other):
    x[0] = 7
    other["y"][0] = 7
    return x

def same(value):
    return value

def draw(rng):
    return rng.random(3)

def fail(x):
    y = x + 1
    raise ValueError(f"the input was {x}")

def leak(x):
    raise type(f"Input{x}", (Exception,), {})("leak")

def say(text):
    print(text)

def hog():
    return np.ones(10**9)

def loop():
    while True:
        pass

def odd():
    return type("Input42", (), {})()

def stop(code):
    import os
    os._exit(code)

nothing = 3
"""
FUNCTIONS = [*re.findall(r"def (\w+)", HONEST.decode()), "nothing", "absent"]


def failure(student, function, *args):
    with pytest.raises(StudentFailure) as caught:
        getattr(student, function)(*args)
    return caught.value


def descendants(ancestor):
    """Return the ids of the processes below `ancestor`."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_bytes()
        except OSError:
            continue
        parents[int(entry)] = int(stat.rpartition(b")")[2].split()[1])
    below, new = set(), {ancestor}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - below
        below |= new
    return below


def alive(pid):
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def outcome(student, x):
    """Return how a check ends that wants 2 * x, and the value if there was one."""
    try:
        value = student.answer(x)
    except StudentFailure as error:
        return error.kind, None
    right = isinstance(value, np.ndarray) and np.array_equal(value, 2 * x)
    return ("right" if right else "wrong"), value


def refuse(monkeypatch, *names):
    """Make the kernel of every sandbox from now on refuse some layers, named by their functions."""
    modules = [name.partition(".") for name in names]
    weaken = [f"importlib.import_module('grading.{m}').{name} = no\n" for m, _, name in modules]
    boot = f"def no(*_): raise OSError\n{''.join(weaken)}function("
    monkeypatch.setattr(confine, "BOOT", confine.BOOT.replace("function(", boot, 1))
