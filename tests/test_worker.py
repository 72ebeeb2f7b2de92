"""The worker's own code, run here: it answers every request, whatever the student's code does."""

import socket
import sys
import threading

import numpy as np
import pytest

from minidl.grading import confine, protocol, worker
from minidl.grading.worker import WARM, Runner, failed, serve

SOURCE = b"""
def double(x):
    return 2 * x

def odd():
    return object()

def fail(error):
    raise {"memory": MemoryError(), "exit": SystemExit(2), "mute": Mute()}[error]

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("not a word")

number = 3
"""


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest"])
    runner = Runner()
    source = np.frombuffer(SOURCE, np.uint8)
    assert runner.answer({"do": "load", "name": "worker_test_module", "source": source}) == {
        "loaded": True
    }
    yield runner
    del sys.modules["worker_test_module"]


def call(runner, function, *args, **kwargs):
    return runner.answer({"do": "call", "function": function, "args": args, "kwargs": kwargs})


def test_a_value_comes_with_the_checksums_of_its_arguments(runner):
    x = np.ones(3)
    answer = call(runner, "double", x=x)
    np.testing.assert_array_equal(answer["returned"], 2 * x)
    assert answer["kwargs"] == {"x": protocol.checksum(x)}


@pytest.mark.parametrize(
    ("function", "args", "wanted"),
    [
        ("absent", (), failed("missing")),
        ("number", (), failed("missing")),
        ("fail", ("memory",), failed("memory", line=9)),
        ("fail", ("exit",), failed("raised", "2", "SystemExit", 9)),
        ("fail", ("mute",), failed("raised", "", "Mute", 9)),
        ("fail", ("none",), failed("raised", "'none'", "KeyError", 9)),
        ("double", (), None),
        ("odd", (), None),
    ],
)
def test_a_failure_is_an_answer(runner, function, args, wanted):
    answer = call(runner, function, *args)
    assert answer["failed"] in ("missing", "memory", "raised", "protocol")
    assert wanted in (None, answer)


def test_a_syntax_error_names_its_line():
    source = np.frombuffer(b"x = 1\ny = = 2\n", np.uint8)
    answer = Runner().answer({"do": "load", "name": "broken", "source": source})
    assert answer == failed("raised", "invalid syntax", "SyntaxError", 2)


SCENARIO = b"""
def drive(double, x, start=1.0):
    return np.array([double(x), start])

def drive_number(number):
    return number
"""


def test_a_scenario_is_handed_what_the_student_wrote(runner):
    load = {"do": "load", "name": "worker_test_module", "source": np.frombuffer(SOURCE, np.uint8)}
    load["scenarios"] = {"drive": "double", "drive_number": "number"}
    load["scenario_source"] = np.frombuffer(SCENARIO, np.uint8)
    assert runner.answer(load) == {"loaded": True}
    answer = call(runner, "drive", 3.0, start=0.5)
    np.testing.assert_array_equal(answer["returned"], [6.0, 0.5])
    assert answer["args"] == [protocol.checksum(3.0)]
    assert answer["kwargs"] == {"start": protocol.checksum(0.5)}
    assert call(runner, "drive_number") == failed("missing")
    assert call(runner, "double", 2)["returned"] == 4
    assert call(runner, "drive")["line"] is None


def test_a_compilers_exception_names_the_line_in_its_text(runner):
    wrong = ValueError('in one of ours\nFile "worker_test_module.py", line 3:\n and line 7')
    assert runner.failure(wrong)["line"] == 3
    assert runner.failure(ValueError('File "other.py", line 3'))["line"] is None


def test_packages_are_imported_from_a_folder_that_is_forgotten(tmp_path, monkeypatch):
    (tmp_path / "single.py").write_text("import folder_of_files")
    (tmp_path / "folder_of_files").mkdir()
    (tmp_path / "folder_of_files" / "__init__.py").write_text("")
    monkeypatch.setattr(worker, "OFFERED", {*sys.modules, "single"})
    before, path = set(sys.modules), list(sys.path)
    try:
        ready = dict.fromkeys(["single", "folder_of_files"], str(tmp_path))
        assert worker._import_ready(ready) == [str(tmp_path / "folder_of_files")]
        assert "single" in sys.modules
        assert "folder_of_files" not in sys.modules  # needed, but not offered
    finally:
        sys.modules.pop("single", None)
    new = set(sys.modules) - before
    assert [name for name in new if not name.startswith("$coverage")] == []
    assert sys.path == path


def test_serving_ends_with_the_stream(runner):
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(theirs, 2**20, ["a layer"]))
    thread.start()

    def fill(view):
        data = ours.recv(view.nbytes, socket.MSG_WAITALL)
        view[:] = data

    def ask(ticket, message):
        for piece in protocol.pack(ticket, message, "it", 2**20):
            ours.sendall(piece)
        return protocol.receive(fill, 2**20)

    with ours, theirs:
        assert protocol.receive(fill, 2**20) == (0, {"ready": ["a layer"]})
        source = np.frombuffer(b"import numpy\ndef big(n): return numpy.zeros(n)", np.uint8)
        load = {"do": "load", "name": "worker_test_module", "source": source}
        assert ask(7, load) == (7, {"loaded": True})
        answer = {"do": "call", "function": "big", "kwargs": {}}
        assert ask(8, {**answer, "args": (2,)})[1]["args"] == [protocol.checksum(2)]
        ticket, refused = ask(9, {**answer, "args": (2**20,)})
        assert (ticket, refused["failed"]) == (9, "protocol")
        ours.shutdown(socket.SHUT_WR)
        thread.join(10)
    assert not thread.is_alive()


def test_what_is_imported_before_the_fork_exists():
    assert all(map(pytest.importorskip, WARM))


def test_the_rules_hold_what_exists_and_forget_the_rest(tmp_path):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "module.py").write_text("")
    with_folder = confine.readable([str(tmp_path), str(tmp_path / "absent")], [])
    without = confine.readable([], [])
    assert len(with_folder._beneath) == len(without._beneath) + 2
