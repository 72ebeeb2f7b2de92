"""What a class looks like: its report, its CSV files, and who is near a copy."""

import csv
import importlib
import io
from dataclasses import replace

import pytest
import tiny_assignment
from classroom import identity, result

from minidl.errors import ArgumentError
from minidl.grading import overview, similarity
from minidl.grading.assignment import Assignment
from minidl.grading.gradebook import Gradebook
from minidl.grading.marks import to_csv
from minidl.grading.result import TaskResult
from minidl.grading.roster import Roster, Student
from minidl.grading.similarity import Likeness, Pair, compare

NASTY = '<script>alert("x")</script>|*_`'


@pytest.fixture
def book():
    with Gradebook(":memory:") as opened:
        for student, score, mistake in (
            ("ann", 5, None),
            ("bob", 4, "mean_doubled"),
            ("cat", 4, "mean_doubled"),
            ("dan", 1, None),
        ):
            opened.record(identity(student), result(score, mistake=mistake), "tiny.py")
        opened.record(identity(NASTY), result(0, reason=f"syntax {NASTY}"), "tiny.py")
        yield opened


@pytest.fixture
def students():
    return Roster(
        [
            Student("ann", "Ann Lee", {"Student": "Lee, Ann", "ID": "7"}, frozenset()),
            Student("eve", "=1+1", {"Student": "=1+1", "ID": "8"}, frozenset()),
        ]
    )


class TestOverview:
    def test_two_mistakes_at_once_are_counted_as_both(self):
        (task,) = result(0, mistake="mean_doubled").tasks
        both = replace(task.checks[0], also="square_not_averaged")
        found = overview.TaskOverview("tiny.a", "First", 5.0)
        found.add(replace(task, checks=(both, both)))
        assert found.mistakes == {"mean_doubled": 1, "square_not_averaged": 1}
        assert found.unnamed == 0

    def test_what_is_not_written_is_no_unknown_mistake(self):
        (task,) = result(0).tasks
        found = overview.TaskOverview("tiny.a", "First", 5.0)
        for said in ("centre is not written yet.", "there is no function centre.", "odd."):
            checks = tuple(replace(check, seen=said, mistake=None) for check in task.checks)
            found.add(replace(task, checks=checks, earned=0.0))
        assert (found.unwritten, found.unnamed) == (2, 1)

    def test_scores_tasks_mistakes_and_who_is_missing(self, book, students):
        (found,) = overview.overviews(book, students)
        assert dict(found.bins) == {
            **dict.fromkeys(overview.BINS, 0),
            "0-9": 1,
            "20-29": 1,
            "80-89": 2,
            "100": 1,
        }
        assert found.mean == pytest.approx((100 + 80 + 80 + 20 + 0) / 5)
        assert found.quarters[1] == 80
        (task,) = found.tasks.values()
        assert (task.students, task.full, task.none) == (4, 1, 0)
        assert task.percent == pytest.approx(100 * 14 / 20)
        assert task.mistakes == {"mean_doubled": 2}
        assert task.unnamed == 1
        assert found.missing == ["eve"]
        assert [student for student, _ in found.unreadable] == [NASTY]

    def test_pages_say_all_of_it_and_escape_everything(self, book, students):
        (found,) = overview.overviews(book, students)
        found.alike = Likeness(4, (Pair("ann", "", 0.9),), (("bob", NASTY),), ())
        for text in (overview.to_html([found]), overview.to_markdown([found])):
            for word in ("mean doubled", "eve", "80", "ann", "90", "56.0"):
                assert word in text
            assert "<script>" not in text
        page = overview.to_html([found])
        assert page.count("<rect") >= len(found.bins)
        assert "http" not in page.replace("http-equiv", "")
        assert "default-src 'none'" in page
        assert "|*_`" not in overview.to_markdown([found])

    def test_an_empty_gradebook_and_one_student(self):
        with Gradebook(":memory:") as book:
            assert "Class report" in overview.to_html(overview.overviews(book))
            book.record(identity(), result(0, reason="the file is empty"), "tiny.py")
            found = overview.overviews(book)
            assert "the file is empty" in overview.to_html(found)
            assert "the file is empty" in overview.to_markdown(found)

    def test_a_task_with_no_result(self):
        made = result(0)
        (task,) = made.tasks
        died = replace(task.checks[0], status="error")
        found = overview.TaskOverview("tiny.a", "First", 5.0)
        found.add(TaskResult("tiny.a", "First", 5, 0, (died,)))
        assert (found.no_result, found.none, found.unnamed) == (1, 1, 1)


def rows(text):
    return list(csv.reader(io.StringIO(text)))


class TestMarks:
    def test_plain(self, book):
        head, *body = rows(to_csv(book))
        assert [row[head.index("student")] for row in body] == [NASTY, "ann", "bob", "cat", "dan"]
        bob = dict(zip(head, body[2], strict=True))
        assert (bob["score"], bob["points"], bob["percent"]) == ("4", "5", "80")
        assert bob["mistakes"] == "mean_doubled"

    def test_canvas_imports_its_own_columns(self, book, students):
        head, points, *body = rows(to_csv(book, "canvas", roster=students))
        assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        assert points == ["    Points Possible", "", "", "", "", "5"]
        assert body == [["Lee, Ann", "7", "", "", "", "5"], ["'=1+1", "8", "", "", "", ""]]

    def test_moodle_finds_students_by_number(self, book, students):
        head, *body = rows(to_csv(book, "moodle", roster=students))
        assert head == ["ID number", "Full name", "Email address", "tiny"]
        assert body == [["ann", "Ann Lee", "", "5"], ["eve", "'=1+1", "", ""]]

    @pytest.mark.parametrize("sign", "=+-@")
    @pytest.mark.parametrize("before", ["", " ", "\n", "\xa0", "\u3000", "\t", "\u200b"])
    def test_no_name_is_a_formula(self, sign, before):
        wide = chr(ord(sign) + 0xFEE0)
        with Gradebook(":memory:") as book:
            for name in (f"{before}{sign}1+1", f"{before}{wide}1", f"a{sign}1", " a", ""):
                book.record(identity(name), result(1), "tiny.py")
            names = {row[0] for row in rows(to_csv(book))[1:]}
        assert {name for name in names if name[:1] != "'"} == {f"a{sign}1", " a", ""}
        assert len(names) == 5

    @pytest.mark.parametrize("between", [";", "\t", "; ", "\n"])
    def test_no_name_begins_a_formula_in_a_cell_of_its_own(self, between):
        """In half of Europe spreadsheets separate by semicolons, whatever the file does."""
        with Gradebook(":memory:") as book:
            book.record(identity(f"ann{between}=1+1"), result(1), "tiny.py")
            assert rows(to_csv(book))[1][0] == f"ann{between}'=1+1"

    def test_best_and_latest(self, book):
        book.record(identity("ann", sha256="new"), result(2), "tiny.py")
        for which, score in (("latest", "2"), ("best", "5")):
            assert rows(to_csv(book, which=which))[2][4] == score

    @pytest.mark.parametrize(("form", "said"), [("excel", "one of plain"), ("canvas", "a roster")])
    def test_wrong_calls(self, book, form, said):
        with pytest.raises(ArgumentError, match=said):
            to_csv(book, form)


@pytest.fixture(scope="module")
def batch_norm():
    return Assignment.load("batch_norm")


@pytest.fixture(scope="module")
def found(batch_norm):
    reference = batch_norm.solution()
    renamed = reference.replace("x_hat", "normal").replace("inv_std", "rstd")
    own = _in_other_words(batch_norm, 0)
    sources = {
        "copy": reference.replace('"""', "'''").replace("    return", "    # mine\n    return"),
        "renamed": renamed,
        "one_own": batch_norm.with_alternative("forward_in_loops"),
        "independent": own,
        "friend": own.replace("gamma", "g").replace("values", "v") + "\nunused = 3\n",
        "other": _in_other_words(batch_norm, 1),
        "starter": batch_norm.starter(),
        "broken": "def f(:\n",
    }
    return compare(sources, batch_norm)


class TestSimilarity:
    def test_copies_of_the_reference_are_flagged_whatever_the_names(self, found):
        assert {pair.first for pair in found.reference} == {"copy", "renamed", "one_own"}
        assert ("copy", "renamed") in found.same

    def test_copies_of_each_other_are_flagged_and_solutions_of_their_own_are_not(self, found):
        assert [(pair.first, pair.second) for pair in found.pairs] == [("friend", "independent")]
        assert found.pairs[0].share > 0.9

    def test_what_is_all_starter_or_no_python_is_not_compared(self, found):
        assert found.compared == 6

    def test_the_shorter_way_of_counting_agrees_with_copydetect(self, batch_norm):
        detect = similarity._copydetect()
        starter = detect.print_of(batch_norm.starter()).hashes
        made = detect.own(batch_norm.solution(), starter)
        assert detect.share(made, made) == 1.0
        assert detect.share(made, detect.own(_in_other_words(batch_norm, 1), starter)) < 0.5

    @pytest.mark.parametrize("odd", ["X = 0x" + 5000 * "f", "X = f" + 2000 * "()"])
    def test_what_cannot_be_written_again_hides_no_copy(self, batch_norm, odd):
        """Python reads a number of six thousand digits, and a chain of calls; it writes neither."""
        copy = f"{batch_norm.solution()}\n{odd}\n"
        alike = compare({"copy": copy, "own": _in_other_words(batch_norm, 0)}, batch_norm)
        assert [pair.first for pair in alike.reference] == ["copy"]

    @pytest.mark.parametrize("size", [7, 4096])
    def test_what_is_shared_is_counted_in_blocks(self, monkeypatch, size):
        """A column for each run of tokens of all files together would not fit into memory."""
        monkeypatch.setattr(similarity, "BLOCK", size)
        sets = [set(range(0, 90, step)) for step in (1, 2, 3)] + [set(range(1000, 1010))]
        found = similarity._in_common(sets)
        for i, one in enumerate(sets):
            for j, other in enumerate(sets[:i]):
                assert found[i, j] == found[j, i] == len(one & other)

    def test_without_copydetect_it_says_what_to_install(self, batch_norm, monkeypatch):
        def missing(name, *rest):
            raise ImportError(f"No module named {name!r}")

        monkeypatch.setattr(importlib, "import_module", missing)
        with pytest.raises(ArgumentError, match=r"copydetect.*pip install 'minidl\[similarity\]'"):
            compare({"a": "x = 1"}, batch_norm)


def _in_other_words(assignment, number):
    """The solution with every function written another way."""
    other = {}
    for alternative in assignment.alternatives:
        function = assignment.task(alternative.target).function
        other.setdefault(function, []).append(alternative.source)
    chosen = {name: found[number % len(found)] for name, found in other.items()}
    return assignment.reference.solution("Mine.", chosen)


def test_tiny_has_too_little_code_to_be_compared(tmp_path):
    tiny = Assignment.load(tiny_assignment.write(tmp_path / "tiny"))
    only_one = tiny.starter().replace("raise NotImplementedError", "return x - x.mean()  #", 1)
    assert compare({"a": only_one, "b": only_one}, tiny).compared == 0
