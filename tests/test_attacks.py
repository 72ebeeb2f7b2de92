"""Hostile submissions: none gains a point, none costs another task one, none leaves a trace."""

import ast
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sandboxes import SHORT, outcome, refuse

from minidl.cli import main
from minidl.errors import ArgumentError
from minidl.grading import selftest
from minidl.grading.assignment import Assignment
from minidl.grading.attack import CATALOGUE, FOLDER, attacks
from minidl.grading.grade import grade_source
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import LocalSandbox

ATTACKS = {attack.name: attack for attack in attacks()}


@pytest.fixture(scope="module")
def assignment():
    return Assignment.load(FOLDER / "assignment")


@pytest.fixture(scope="module")
def whole_run():
    start = time.monotonic()
    trials, isolation = selftest.run(selftest.choose())
    return {trial.attack: trial for trial in trials}, isolation, time.monotonic() - start


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(whole_run, name):
    trial = whole_run[0][name]
    assert trial.ok, trial.verdict
    assert trial.verdict


def test_the_whole_run_takes_little_time(whole_run):
    assert whole_run[2] < 90


def test_every_row_of_the_catalogue_is_covered():
    assert len(ATTACKS) >= 45
    assert {row for attack in ATTACKS.values() for row in attack.rows} == set(CATALOGUE)
    assert set(CATALOGUE) == set(range(1, 23))


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_both_forms_are_whole_files(assignment, attack):
    solution = assignment.solution()
    alone, among = attack.everywhere(solution), attack.in_one(solution, "centre")
    for text in (alone, among):
        names = [n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
        assert {"scale", "centre", "squash"} <= set(names)
    for name in ("scale", "squash"):
        assert ast.unparse(_function(solution, name)) == ast.unparse(_function(among, name))
        assert ast.unparse(_function(solution, name)) != ast.unparse(_function(alone, name))


def _function(text, name):
    return next(n for n in ast.parse(text).body if getattr(n, "name", "") == name)


def test_the_solution_they_sit_in_is_right(assignment):
    with LocalSandbox() as sandbox:
        result = grade_source(assignment.solution(), assignment, b"a" * 32, sandbox)
    assert (result.score, result.points) == (10, 10)


def test_hard_coded_answers_do_answer_the_public_checks(assignment):
    source = ATTACKS["hard_coded"].everywhere(assignment.solution())
    with LocalSandbox() as sandbox:
        assert grade_source(source, assignment, None, sandbox).percent == 100
        assert grade_source(source, assignment, b"a" * 32, sandbox).percent == 0


def test_what_is_not_stopped_is_seen(monkeypatch):
    """Without the layers, what they stop earns points, and the test of this machine says so."""
    layers = ("namespaces.leave", "landlock.Rules.enforce", "seccomp.enforce")
    refuse(monkeypatch, *layers, "confine._become_nobody_else", "confine._drop_capabilities")
    stopped_by_them = {"read_the_library", "import_the_answer", "other_programs", "fork_bomb"}
    stopped_by_them |= {"memory_outside_the_limit", "limits_of_others"}
    chosen = selftest.choose([*stopped_by_them, "detect_grading", "segfault"])
    trials, isolation = selftest.run(chosen, jobs=2)
    assert "seccomp" not in isolation
    succeeded = {trial.attack for trial in trials if not trial.wrong and not trial.right}
    assert succeeded == stopped_by_them
    for trial in trials:
        assert trial.ok == (trial.attack not in succeeded)
        assert ("earned 10 points" in trial.verdict) == (trial.attack in succeeded)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def centre(x):\n    raise ValueError(f'LEAK {x[0]}')", "hidden input"),
        ("def centre(x):\n    open('/tmp/minidl-attacked-here', 'w')", "minidl-attacked-here"),
    ],
)
def test_what_stands_in_a_report_or_is_left_is_found(assignment, monkeypatch, source, problem):
    at = selftest._Range(assignment, None if "LEAK" in source else b"a" * 32)
    at.sandbox = LocalSandbox()
    monkeypatch.setattr(selftest._Range, "_trace", lambda self: {})
    monkeypatch.setattr(LocalSandbox, "pid", 0, raising=False)
    monkeypatch.setattr(LocalSandbox, "leftovers", lambda self: [], raising=False)
    with at:
        problems = []
        at._graded(ATTACKS["segfault"], source, problems)
    assert problem in "; ".join(problems)
    assert not Path("/tmp/minidl-attacked-here").exists()


def test_a_process_that_has_just_ended_is_none(monkeypatch):
    names = ["self", "99999999", *filter(str.isdigit, os.listdir("/proc"))]
    monkeypatch.setattr(selftest.os, "listdir", lambda folder: names)
    assert os.getpid() in selftest._below(os.getppid())
    assert 99999999 not in selftest._below(os.getppid())


def test_traces_are_found():
    with Sandbox(SHORT) as sandbox:
        looks = []
        for seed in (b"", b"import os\nos.environ['SEEN'] = '1'\nnp_all = 1\nopen('x', 'w')\n"):
            source = seed + selftest.DETECTIVE
            with sandbox.student(source, functions=["look"]) as student:
                looks.append(student.look())
    assert {name for name in looks[0] if looks[0][name] != looks[1][name]} >= {
        "files",
        "environment",
    }


def test_a_forged_answer_to_a_later_question_is_not_believed(assignment):
    source = ATTACKS["forged_ticket"].in_one(assignment.solution(), "centre").encode()
    with Sandbox(SHORT) as sandbox, sandbox.student(source, functions=["centre"]) as student:
        ask = type("", (), {"answer": student.centre})
        assert outcome(ask, np.ones(2))[0] == "wrong"
        assert outcome(ask, np.ones(2))[0] == "protocol"


# The command


def test_the_command_prints_a_table():
    done = CliRunner().invoke(main, ["selftest", "segfault", "lying array"])
    assert done.exit_code == 0, done.output
    for words in ("segfault", "lying array", "scored 0", "lost it", "SIGSEGV", "Isolation: "):
        assert words in done.output
    assert "2 attacks in two forms, 2 of 22 rows" in done.output
    done = CliRunner().invoke(main, ["selftest", "segfault", "--json"])
    values = json.loads(done.stdout)
    assert values["level"] in ("full", "good", "weak")
    assert [(attack["attack"], attack["ok"]) for attack in values["attacks"]] == [
        ("segfault", True)
    ]


def test_the_command_fails_where_an_attack_does_not(monkeypatch):
    lost = selftest.Trial("segfault", (5,), True, False, 1.0, "cost other tasks 3 points", ("x",))
    monkeypatch.setattr(selftest, "run", lambda chosen, each: ([lost], "separate process"))
    done = CliRunner().invoke(main, ["selftest"])
    assert done.exit_code == 1
    for words in (
        "FAILED",
        "cost other tasks",
        "1 had any success or left something behind: segfault",
        "Isolation: weak",
    ):
        assert words in done.output


def test_an_unknown_attack_is_named():
    with pytest.raises(ArgumentError, match=r"names among .*segfault.*, got nonsense"):
        selftest.choose(["nonsense"])


def test_a_sandbox_that_does_not_start_ends_the_run(monkeypatch):
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        selftest.run(selftest.choose(["segfault"]))
