from dataclasses import replace

import pytest
from click.testing import CliRunner

from minidl.cli import main
from minidl.course import contest, race
from minidl.course.check import Found
from minidl.grading.assignment import Assignment
from minidl.terminal import console

TYPED = '''
import cython
import numpy as np

SCALE = 2


def twice(x):
    return SCALE * x


@cython.boundscheck(False)
def double_cython(x):
    """2 x."""
    y = np.empty_like(x)
    numbers: cython.double[::1] = x
    doubled: cython.double[::1] = y
    i: cython.Py_ssize_t
    for i in range(len(x)):
        doubled[i] = {value}
    return y
'''
RULES = """
import numpy as np

STUDENT = ("double_cython", "double")


def arguments():
    return (np.arange(1000.0),)


def runners(yours):
    return {"NumPy": lambda x: 2 * x} | {f"your {name}": f for name, f in yours.items()}
"""


def found(folder, text, task="double_cython"):
    """Return what a race of one task in a small assignment starts from."""
    whole = Assignment.load("conv2d")
    (folder / "race.py").write_text(RULES)
    path = folder / "doubling.py"
    path.write_text(text)
    tasks = (replace(whole.tasks[0], id=f"conv2d.{task}", target=f"solution:{task}"),)
    return Found(path, replace(whole, tasks=tasks, folder=folder))


def shown(made, capsys):
    race.present(made, console())
    return capsys.readouterr().out


def test_a_function_is_compiled_and_raced(tmp_path, capsys):
    made = race.race(found(tmp_path, TYPED.format(value="twice(numbers[i])")))
    assert made.right
    assert [runner.name for runner in made.runners] == ["NumPy", "your double_cython"]
    text = shown(made, capsys)
    assert "right" in text
    assert "(1000,) float64" in text


def test_wrong_numbers_are_called_wrong(tmp_path, capsys):
    made = race.race(found(tmp_path, "def double(x):\n    return 3 * x\n", "double"))
    assert not made.right
    said = shown(made, capsys)
    assert "WRONG" in said
    assert "What is wrong: minidl check " in said


def test_what_the_compiler_says_is_passed_on(tmp_path):
    with pytest.raises(race.RaceError, match=r"double_cython to compile(?s:.)*undeclared"):
        race.race(found(tmp_path, TYPED.format(value="undeclared(numbers[i])")))


def test_a_crash_ends_its_own_process_only(tmp_path):
    text = "import os\n\ndef double(x):\n    os.kill(os.getpid(), 11)\n"
    with pytest.raises(race.RaceError, match=r"a crash.*bounds checks"):
        race.race(found(tmp_path, text, "double"))


def test_without_a_compiler_a_note_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(race.shutil, "which", lambda name: None)
    made = race.race(found(tmp_path, TYPED.format(value="2 * numbers[i]")))
    assert [runner.name for runner in made.runners] == ["NumPy"]
    assert "there is no C compiler" in shown(made, capsys)


def test_a_function_that_is_missing_or_empty(tmp_path):
    with pytest.raises(race.RaceError, match="a function double_cython in your file, got none"):
        race.race(found(tmp_path, "x = 1\n"))
    with pytest.raises(race.RaceError, match="a file that can be run"):
        race.race(found(tmp_path, "x = (\n"))


def test_contest_leaves_out_what_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(contest.threads, "set_num_threads", lambda count: None)
    source = tmp_path / "submission.py"
    source.write_text("def a(x):\n    raise NotImplementedError\n\ndef b(x):\n    return 1 / 0\n")
    (tmp_path / "race.py").write_text(
        RULES.replace('("double_cython", "double")', '("a", "b", "c")')
    )
    wish = {
        "race": str(tmp_path / "race.py"),
        "source": str(source),
        "task": "c",
        "extension": "",
    }
    made = contest.run(wish)
    assert [runner["name"] for runner in made["runners"]] == ["NumPy"]
    assert made["notes"] == ["your b raised ZeroDivisionError: division by zero"]
    with pytest.raises(NotImplementedError):
        contest.run({**wish, "task": "a"})


def test_only_some_tasks_are_raced(tmp_path):
    source = tmp_path / "conv2d.py"
    source.write_text(Assignment.load("conv2d").starter())
    done = CliRunner().invoke(main, ["race", "conv2d.pad", str(source)])
    assert done.exit_code == 2
    assert "one of the tasks forward, forward_numba, forward_cython, got conv2d.pad" in done.output
