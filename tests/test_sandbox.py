"""A submission in its own process: right answers pass, everything else is one StudentFailure."""

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sandboxes import FUNCTIONS, HONEST, PATIENCE, SHORT, alive, descendants, failure

from minidl.errors import ArgumentError
from minidl.grading import confine
from minidl.grading import sandbox as sandbox_module
from minidl.grading.channel import clean
from minidl.grading.failure import Reporter
from minidl.grading.protocol import Rng
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import StudentFailure
from minidl.grading.zygote import SandboxError, remove


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(SHORT) as opened:
        yield opened


@pytest.fixture
def honest(sandbox):
    return sandbox.student(HONEST, "batch_norm.py", FUNCTIONS)


# Honest submissions


def test_values_come_back_as_they_are(honest):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    with honest as student:
        doubled = student.double(x)
        np.testing.assert_array_equal(doubled, 2 * x)
        assert doubled.dtype == np.float32
        value = {"a": [1, 2.5, None], "b": (True, "text"), "c": float("inf")}
        assert student.same(value) == value
        assert type(student.same((1, 2))) is tuple
        assert np.isnan(student.same(float("nan")))
        np.testing.assert_array_equal(student.draw(Rng(3)), np.random.default_rng(3).random(3))


def test_an_array_larger_than_any_buffer_comes_back(honest):
    x = np.random.default_rng(0).standard_normal(2_000_000)
    with honest as student:
        np.testing.assert_array_equal(student.double(x), 2 * x)


def test_each_with_is_a_fresh_process(honest):
    with honest as first:
        assert first.count() == 1
        assert first.count() == 2
        with honest as second:
            assert second.count() == 1
        assert first.count() == 3


def test_damage_to_arguments_is_noticed_and_ours_stay_whole(honest):
    x, y = np.zeros(3), np.zeros(2)
    with honest as student:
        student.damage(x, [1], other={"y": y})
        assert student.damaged == {0, "other"}
        assert not x.any()
        assert not y.any()
        student.double(x)
        assert student.damaged == set()


def test_what_is_printed_is_shown_without_control_characters(honest):
    with honest as student:
        student.say("red \x1b[31m \u202e and é")
        assert student.output == "red [31m  and é\n"


def test_output_is_capped(sandbox):
    source = b"def flood():\n    for _ in range(100):\n        print('x' * 10_000)"
    with sandbox.student(source, functions=["flood"]) as student:
        student.flood()
        assert 0 < len(student.output) <= SHORT.output_bytes


# Failures of honest submissions


def test_an_exception_names_its_type_text_and_line(honest):
    with honest as student:
        failed = failure(student, "fail", 42)
        assert (failed.kind, failed.line) == ("raised", 27)
        assert failed.message.startswith("ValueError: the input was 42 (line 27: `raise ValueE")
        assert student.double(2) == 4


@pytest.mark.parametrize(
    ("function", "args", "kind", "message"),
    [
        ("absent", (), "missing", "no function named absent"),
        ("nothing", (), "missing", "no function named nothing"),
        ("hog", (), "memory", r"ran out of memory \(line \d+: `return np.ones"),
        ("loop", (), "timeout", r"longer than 2 s.*\(line \d+: `"),
        ("stop", (3,), "crashed", "exit code 3"),
        ("double", (), "raised", "TypeError: double"),
    ],
)
def test_each_failure_has_its_kind(honest, function, args, kind, message):
    with honest as student:
        failed = failure(student, function, *args)
        assert failed.kind == kind
        assert re.search(message, failed.message)
    with honest as student:
        assert student.double(3) == 6


def test_after_a_crash_every_call_fails_alike(honest):
    with honest as student:
        first = failure(student, "stop", 1)
        assert failure(student, "double", 1) is first
    assert failure(student, "double", 1) is first


def test_a_closed_student_says_so(honest):
    with honest as student:
        pass
    assert failure(student, "double", 1).kind == "crashed"


@pytest.mark.parametrize(
    ("source", "kind", "message", "line"),
    [
        (b"x = 1\ndef f(:\n", "raised", "SyntaxError", 2),
        (b"def f():\nreturn 1\n", "raised", "IndentationError", 2),
        (b"x = 1\nimport minidl\n1 + minidl.x\n", "raised", "minidl is not there where submi", 3),
        (b"x = 1\n1 / 0\n", "raised", "ZeroDivisionError", 2),
        (b"a\0b", "raised", "null bytes", None),
        (b"\xff\xfe\x00", "raised", "SyntaxError", None),
        (b"# coding: nonsense\n", "raised", "SyntaxError", None),
        (b"import sys\nsys.exit(0)\n", "raised", "SystemExit: 0", 2),
        (b"import os\nos._exit(0)\n", "crashed", "exit code 0", None),
    ],
)
def test_a_file_that_cannot_be_executed(sandbox, source, kind, message, line):
    with pytest.raises(StudentFailure) as caught, sandbox.student(source):
        pytest.fail("the file was executed")
    assert caught.value.kind == kind
    assert message in caught.value.message
    assert line in (None, caught.value.line)


def test_hidden_checks_redact_everything_but_type_and_line(sandbox):
    with sandbox.student(HONEST, "batch_norm.py", FUNCTIONS, hidden=True) as student:
        student.say("the input was 42")
        assert student.output == ""
        assert failure(student, "fail", 42).message == (
            'ValueError (line 27: `raise ValueError(f"the input was {x}")`)'
        )
        leaked = failure(student, "leak", 42)
        assert leaked.message.startswith("an exception of its own class (line 30: ")
        odd = failure(student, "odd")
        assert odd.kind == "protocol"
        assert "42" not in odd.message


def test_arguments_outside_the_vocabulary_are_the_callers_mistake(honest):
    with honest as student:
        with pytest.raises(ArgumentError, match="request to double"):
            student.double(object())
        assert student.double(1) == 2
        with pytest.raises(AttributeError):
            student.unknown(1)


# The sandbox itself


def test_the_isolation_reached_is_reported(sandbox):
    assert sandbox.isolation.startswith("separate process, deadline, ")
    assert confine.LIMITS in sandbox.isolation
    table = {layer.name: layer for layer in confine.layers()}
    reached = [name for name, layer in table.items() if layer.used]
    assert sorted(reached) == sorted(re.split(r", (?![^(]*\))", sandbox.isolation))


def test_elsewhere_than_on_linux_it_refuses_unless_told(monkeypatch):
    monkeypatch.setattr(sandbox_module.sys, "platform", "darwin")
    with pytest.raises(SandboxError, match=r"expected Linux.*got darwin"):
        Sandbox()
    with Sandbox(allow_unconfined=True) as sandbox:
        assert sandbox.isolation == f"separate process, deadline, {confine.LIMITS}"
        source = b"""
import os, time
def fork():
    child = os.fork()
    if child == 0:
        time.sleep(120)
        os._exit(0)
    return child
"""
        with sandbox.student(source, functions=["fork"]) as student:
            child = student.fork()
            assert alive(child)
        until = time.monotonic() + PATIENCE
        while alive(child) and time.monotonic() < until:
            time.sleep(0.01)
        assert not alive(child)


def test_nothing_is_left_behind():
    before = descendants(os.getpid())
    with Sandbox(SHORT) as sandbox:
        root = sandbox._root
        with sandbox.student(HONEST, functions=FUNCTIONS) as student:
            assert len(list(root.iterdir())) == 1
            assert len(descendants(os.getpid()) - before) == 2
        assert list(root.iterdir()) == []
        assert len(descendants(os.getpid()) - before) == 1
    assert not root.exists()
    assert descendants(os.getpid()) <= before
    assert failure(student, "double", 1).kind == "crashed"


def test_a_dead_zygote_is_started_again(honest):
    with Sandbox(SHORT) as sandbox:
        submission = sandbox.student(HONEST, functions=FUNCTIONS)
        with submission as student:
            sandbox._zygote._process.kill()
            sandbox._zygote._process.wait()
            assert failure(student, "double", 1).kind == "crashed"
        with submission as student:
            assert student.double(1) == 2


def test_a_zygote_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(confine, "BOOT", "raise SystemExit('no such luck')")
    with pytest.raises(SandboxError, match="did not start: no such luck"), Sandbox():
        pytest.fail("a sandbox without a zygote")


def test_a_grader_that_dies_takes_its_workers_along(tmp_path):
    script = tmp_path / "grader.py"
    script.write_text(
        "import os, sys\n"
        "from minidl.grading.sandbox import Sandbox\n"
        "with Sandbox() as sandbox, sandbox.student(b'', functions=[]) as student:\n"
        "    print(sandbox._zygote._process.pid, student._worker._pid, sandbox._root, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    zygote, worker, root = done.stdout.split()
    until = time.monotonic() + PATIENCE
    while (alive(zygote) or alive(worker)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(zygote)
    assert not alive(worker)
    remove(Path(root))


def test_it_works_for_an_ordinary_user():
    """As root, give up every capability: a change of user could lock us out of our interpreter."""
    script = (
        "import os, sys\n"
        "from minidl.grading.sandbox import Sandbox\n"
        "with Sandbox() as sandbox:\n"
        "    with sandbox.student(b'def f(): return 2', functions=['f']) as student:\n"
        "        print(student.f(), sandbox.isolation)\n"
    )
    weak = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]
    command = [*(weak if os.getuid() == 0 else ()), sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("2 separate process, deadline, "), done.stderr
    assert confine.LIMITS in done.stdout


def test_the_scratch_folder_may_be_written_within_limits(sandbox):
    source = b"""
import tempfile
def write(n):
    with tempfile.TemporaryFile() as file, open("here", "wb") as other:
        file.write(b"x" * n); file.flush()
        return other.write(b"y" * 10)
"""
    with sandbox.student(source, functions=["write"]) as student:
        assert student.write(1000) == 10
        assert failure(student, "write", SHORT.file_bytes + 1).kind == "raised"


def test_the_environment_says_nothing(monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    source = (
        b"import os, sys\ndef look(): return [sorted(os.environ), sys.argv, __name__, __file__]"
    )
    with Sandbox(SHORT) as sandbox, sandbox.student(source, "batch_norm.py", ["look"]) as student:
        environment, arguments, name, file = student.look()
    assert "SECRET" not in environment
    assert (arguments, name, file) == (["batch_norm.py"], "batch_norm", "batch_norm.py")


# Small parts


def test_processor_time_is_limited_too():
    limits = replace(SHORT, cpu_seconds=1, call_seconds=PATIENCE)
    with Sandbox(limits) as sandbox, sandbox.student(HONEST, functions=FUNCTIONS) as student:
        failed = failure(student, "loop")
    assert (failed.kind, "processor time" in failed.message) == ("timeout", True)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (None, "protocol"),
        ({"failed": "raised"}, "protocol"),
        ({"failed": "raised", "text": 3, "type": None, "line": "1"}, "raised"),
        ({"failed": [], "text": "", "type": "", "line": 10**9}, "raised"),
        (dict.fromkeys(("failed", "text", "type", "line"), np.zeros(3)), "raised"),
    ],
)
def test_a_strange_account_of_a_failure_is_a_failure(answer, kind):
    failed = Reporter("f.py", b"one line", hidden=False).said(answer, "f")
    assert (failed.kind, failed.line) == (kind, None)


FORGER = b"""
import sys
import numpy as np
protocol = sys.modules["grading.protocol"]
pack = protocol.pack

def forge(answer):
    protocol.pack = lambda ticket, message, where, most: pack(ticket, answer, where, most)

def f(x, kind):
    odd = np.zeros(3)
    if kind == "checksum":
        forge({"returned": x, "args": [odd, 0], "kwargs": {}})
    if kind == "failure":
        forge({"failed": odd, "text": odd, "type": odd, "line": odd})
"""


def test_whatever_a_worker_says_about_itself_is_a_failure_and_no_error_of_ours(sandbox):
    """An array where a number, a word or True is expected is not even comparable with these."""
    for kind in ("checksum", "failure"):
        with sandbox.student(FORGER, functions=["f"]) as student, pytest.raises(StudentFailure):
            student.f(1.0, kind)
    loaded = FORGER + b'\nforge({"loaded": np.zeros(3)})\n'
    with pytest.raises(StudentFailure), sandbox.student(loaded, functions=["f"]):
        pytest.fail("it was loaded")


def test_an_unnamed_signal_is_numbered():
    assert "signal 40" in Reporter("f.py", b"", hidden=False).crash("f", 40, None).message


def test_removal_copes_with_depth_links_and_permissions(tmp_path):
    folder = tmp_path / "scratch"
    (folder / "closed" / "inside").mkdir(parents=True)
    (folder / "closed" / "inside" / "file").write_text("x")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (folder / "link").symlink_to(kept)
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.fchdir(here)
    os.close(here)
    (folder / "closed" / "inside").chmod(0)
    (folder / "closed").chmod(0)
    remove(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_text_for_display_is_cleaned_and_cut():
    assert clean("a\tb\n\x00\x07\u200f\ud800c") == "a\tb\nc"
    assert clean("x" * 50, 10) == "x" * 7 + "..."
