"""The demo, shortened: all four steps, what it prints and writes, and that it notices failure."""

import html
import io
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from minidl import backend, demo, threads
from minidl.cli import main
from minidl.demo import grading, network, race
from minidl.demo.failure import DemoFailure
from minidl.errors import ArgumentError

SHORT = demo.Settings(epochs=3, target=0.2, widths=(8, 16), seed=1)


class Run:
    """One shortened run: its folder, exit code, output and report."""

    def __init__(self, folder):
        page = io.StringIO()
        console = Console(file=page, width=100, force_terminal=False)
        self.folder = folder
        self.threads = threads.get_num_threads()
        self.code = demo.run(folder, SHORT, console)
        self.output = page.getvalue()
        self.report = (folder / "report.html").read_text()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in the demo: more threads only wait for each other in so small a network."""
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    yield
    threads.set_num_threads(before)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def training():
    return network.train(replace(SHORT, epochs=1, target=0.0))


# -- a run --------------------------------------------------------------------------------------


def test_all_four_steps_succeed(run):
    assert run.code == 0
    for step in ("1  A small", "2  A student", "3  The same", "4  The report"):
        assert step in run.output
    assert f"report: {run.folder.resolve() / 'report.html'}" in run.output
    assert sorted(path.name for path in run.folder.iterdir()) == [
        *(f"attempt_{number}" for number in range(1, 6)),
        "report.html",
    ]


def test_each_epochs_accuracies_are_printed(run):
    lines = re.findall(
        r"epoch (\d)/3 .* train accuracy [\d.]+% .* validation accuracy [\d.]+%", run.output
    )
    assert lines == ["1", "2", "3"]


def test_students_loop_tells_who_made_which_mistake(run):
    scores = re.findall(r"(\d+) of 100 points", run.output)
    assert (scores[0], scores[-1]) == ("0", "100")
    assert all(0 < int(score) < 100 for score in scores[1:-1])
    for mistake in grading.MISTAKES:
        assert f"known mistake: {mistake}" in run.output
    assert run.output.count("the grader says:") == 3


def test_the_graded_files_lie_beside_the_report(run):
    sources = [(run.folder / f"attempt_{n}" / "batch_norm.py").read_text() for n in range(1, 6)]
    assert len(set(sources)) == 5
    assert "NotImplementedError" in sources[0]


def test_call_counts_and_every_kernel_are_shown(run):
    layers, steps = 6, 1438 // SHORT.batch_size
    counts = f"forward {layers * steps}, update_running {layers * steps}, "
    assert counts + f"backward {layers * steps}, inference {layers * 2 * 2}" in run.output
    for name in ("your batch_norm.py", "NumPy", "Numba", "Cython"):  # timed, or said to be missing
        assert name in run.output


def test_the_number_of_threads_is_put_back(run):
    assert threads.get_num_threads() == run.threads


def test_report_stands_alone(run):
    sources = re.findall(r"(?:src|srcset)=\"([^\"]{30})", run.report)
    assert len(sources) == 6
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    links = re.findall(r"https?://[^\"<\s]+", run.report)
    assert {link.split("/")[2] for link in links} == {"doi.org", "creativecommons.org"}
    assert "<script" not in run.report
    assert "prefers-color-scheme: dark" in run.report
    assert "@media print" in run.report
    assert len(re.findall(r"<img [^>]*alt=\"[^\"]{20,}\"", run.report)) == 3


def test_report_has_the_numbers_that_were_printed(run):
    text = html.unescape(re.sub(r"<[^>]+>", " ", run.report))
    accuracy = re.findall(r"validation accuracy ([\d.]+)%", run.output)[-1]
    assert f"{accuracy} %" in text
    for score in re.findall(r"(\d+) of 100 points", run.output):
        assert f"{score} of 100 points" in text
    for mistake in grading.MISTAKES:
        assert mistake in text
    assert re.search(r"seed\s+1;", text)
    assert "CC BY 4.0" in text


# -- failures -----------------------------------------------------------------------------------


def test_an_accuracy_below_the_target_fails_and_keeps_the_older_report(tmp_path):
    (tmp_path / "report.html").write_text("older")
    page = io.StringIO()
    code = demo.run(tmp_path, replace(SHORT, epochs=1, target=1.0), Console(file=page, width=200))
    assert code == 1
    assert "demo: expected a held-out accuracy of at least 100.00%, got" in page.getvalue()
    assert "report:" not in page.getvalue()
    assert (tmp_path / "report.html").read_text() == "older"


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "file")])
    assert done.exit_code == 2
    assert "demo: expected a folder to write to, got" in done.output
    assert len(done.output.splitlines()) == 1


def test_the_command_passes_the_exit_code_on(tmp_path, monkeypatch):
    for code in (0, 1):
        monkeypatch.setattr(demo, "run", lambda out, code=code: code)
        done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
        assert done.exit_code == code


def attempts_of(run):
    """The attempts of a run, graded again here (quickly, by the public checks)."""
    from minidl.grading.assignment import Assignment
    from minidl.grading.grade import grade
    from minidl.grading.student import LocalSandbox

    assignment = Assignment.load(grading.ASSIGNMENT)
    bank = {mistake.id: mistake for mistake in assignment.mistakes}
    made = []
    for number, mistake in enumerate([None, *grading.MISTAKES, None], 1):
        path = run.folder / f"attempt_{number}" / "batch_norm.py"
        result = grade(path, assignment, sandbox=LocalSandbox())
        says = bank[mistake].says if mistake else ""
        made.append(grading.Attempt("an attempt", mistake, says, path, result))
    return made


def test_grading_is_judged(run):
    attempts = attempts_of(run)
    grading._judge(attempts)
    first, wrong, *others, last = attempts
    for broken, words in (
        ([last, wrong, *others, last], "the starter scored 100"),
        ([first, last, *others, last], "lost no points"),
        ([first, replace(wrong, mistake="another"), *others, last], "the grader named unbiased"),
        ([first, replace(wrong, says="something else"), *others, last], "was not told"),
        ([first, wrong, *others, wrong], "the right solution scored"),
    ):
        with pytest.raises(DemoFailure, match=words):
            grading._judge(broken)


def test_race_is_judged_and_shows_what_is_not_built(run, training, monkeypatch):
    load = backend.load
    monkeypatch.setattr(
        backend, "load", lambda f, telling: "not built" if telling == "cython" else load(f, telling)
    )
    solution = run.folder / "attempt_5" / "batch_norm.py"
    result = race.run_race(solution, training)
    assert result.missing == ["Cython"]
    assert [runner.name for runner in result.everything] == ["NumPy", "Numba"]
    page = io.StringIO()
    race.tell(result, Console(file=page, width=100))
    assert "not built here, so not in the race: Cython" in page.getvalue()
    assert result.largest_difference < 1e-2

    student = result.batch_norm[0]
    fewer = student.calls - Counter({("batch_norm", "backward"): 1})
    for change, words in (
        ({"calls": fewer}, "the student's kernels ran"),
        ({"missing": {("batch_norm", "fold")}}, "the student's file lacks"),
        ({"accuracy": student.accuracy + 0.02}, "accuracy differs"),
        ({"losses": [loss + 0.02 for loss in student.losses]}, "loss differs"),
    ):
        others = result.batch_norm[1:]
        with pytest.raises(DemoFailure, match=words):
            race._judge(replace(result, batch_norm=[replace(student, **change), *others]))


def test_a_wrong_backward_is_noticed_in_the_race(run, training, tmp_path):
    path = tmp_path / "batch_norm.py"
    source = (run.folder / "attempt_5" / "batch_norm.py").read_text()
    assert source.count("m * dy - dy_sum") == 1
    path.write_text(source.replace("m * dy - dy_sum", "-m * dy - dy_sum"))
    with pytest.raises(DemoFailure, match="differs by"):
        race.run_race(path, training)


def test_a_file_that_is_no_module_is_refused(tmp_path):
    with pytest.raises(DemoFailure, match="cannot be imported"):
        race.import_file(tmp_path / "batch_norm.txt")


def test_preparing_the_folder(tmp_path):
    assert demo._prepared(tmp_path / "a" / "b").is_dir()
    with pytest.raises(ArgumentError, match="choose another with --out"):
        demo._prepared(Path("/proc/nothing/here"))
