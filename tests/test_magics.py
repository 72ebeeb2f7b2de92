"""%load_ext minidl in a session of IPython."""

import ast
import builtins

import pytest
import tiny_assignment
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from minidl.course.workspace import start
from minidl.grading.assignment import Assignment

NOT_THE_SCORE = "The final score comes from hidden checks"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The current folder is a workspace of the tiny assignment, which also bears its id's name."""
    folder = tiny_assignment.write(tmp_path / "tiny-assignment")
    start(folder, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return Assignment.load(folder)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run one cell in a fresh session; return what it displayed as text and as HTML."""
    monkeypatch.delattr(builtins, "_", raising=False)  # IPython leaves a `_` of others alone
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell(config=config)

    def cell(text):
        with capture_output() as captured:
            shell.run_cell(text, store_history=True)
        shown = shell.user_ns.get("_")
        html = shown._repr_html_() if hasattr(shown, "_repr_html_") else ""
        return captured.stdout, html

    cell("%load_ext minidl")
    yield cell
    shell.history_manager.end_session()
    shell.restore_sys_module_state()


def function(source, name):
    """Return the text of one function of a module."""
    return next(ast.unparse(n) for n in ast.parse(source).body if getattr(n, "name", "") == name)


def test_a_cell_is_run_and_what_it_defines_is_checked(run, tiny):
    run("import numpy as np\nHALF = 0.5")
    run(function(tiny.solution(), "half_sum"))
    text, html = run(f"%%check\n{function(tiny.with_mistake('mean_doubled'), 'moments')}")
    assert "this session: " in text
    assert "The mean is twice too large." in " ".join(text.split())
    assert "The mean is twice too large." in html
    assert "centre" not in text  # the task that the cell does not define
    assert NOT_THE_SCORE in text
    assert NOT_THE_SCORE in html
    text, html = run(f"%%check moments\n{function(tiny.solution(), 'moments')}")
    assert "(100 %)" in text
    assert "checks passed" in html
    assert run("moments.__name__")[0].strip().endswith("'moments'")  # the cell did run, here


def test_in_jupyter_the_text_is_plain_and_shown_once(run, tiny, monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    text, html = run("%check moments")
    assert text.count("this session: ") == 1
    assert "\x1b" not in text
    assert "this session: " in html


def test_the_last_definition_counts_and_helpers_come_along(run, tiny):
    run("import numpy as np\nHALF = 0.5\n" + function(tiny.solution(), "half_sum"))
    run("def broken(:")
    run(function(tiny.with_mistake("mean_doubled"), "moments"))
    wrong, _ = run("%check moments")
    assert "mean doubled" in wrong
    run(function(tiny.solution(), "moments"))
    right, _ = run("%check moments")
    assert "(100 %)" in right
    everything, _ = run("%check")
    assert "centre" in everything


def test_a_cell_that_raises_is_not_checked(run, tiny):
    text, html = run("%%check moments\n1 / 0")
    assert "ZeroDivisionError" in text
    assert "points" not in text
    assert html == ""


def test_hints_one_after_the_other(run):
    hints = Assignment.load("batch_norm").task("fold").hints
    assert run("%hint batch_norm.fold")[0] == f"Hint 1 of {len(hints)}: {hints[0]}\n"
    assert run(f"%hint batch_norm.fold {len(hints)}")[0].count("Hint ") == len(hints)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%hint", "hint: expected a task"),
        ("%hint moments two", "hint: expected a task"),
        ("%check nonsense", "expected one of the tasks"),
        ("%%check nonsense.forward\n1", "assignment: expected one of"),
    ],
)
def test_mistakes_in_the_call_are_one_line(run, tiny, cell, says):
    text, _ = run(cell)
    assert says in text
    assert "Traceback" not in text


def test_where_there_is_no_workspace_a_task_is_to_be_named(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for cell in ("%check", "%%check\ndef moments(x):\n    return x"):
        assert "as in %%check batch_norm.forward, or a workspace here, got neither" in run(cell)[0]


def test_what_is_not_written_is_one_line_of_html(run, tiny):
    _, html = run("%%check moments\ndef moments(x):\n    raise NotImplementedError('tiny.moments')")
    assert "not written yet; 0" in " ".join(html.split())
    assert "Ask yourself" not in html


def test_html_is_escaped(run, tiny):
    source = "def moments(x):\n    raise ValueError('<script>alert(1)</script>')"
    _, html = run(f"%%check moments\n{source}")
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
