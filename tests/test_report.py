import io
from dataclasses import replace

import pytest
import tiny_assignment
from rich.console import Console

from minidl.grading import bulk, report
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_source
from minidl.grading.result import CheckResult, Result, TaskResult
from minidl.grading.student import LocalSandbox
from minidl.terminal import clean

SECRET = b"a secret of the instructor's own"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Assignment.load(tiny_assignment.write(tmp_path_factory.mktemp("tiny")))


def result(seen="it is wrong", **changes):
    failed = CheckResult("t.a/one_way", "t.a", 2, 0, "failed", seen, "forgot_it", "Why?")
    again = replace(failed, check="t.a/other_way", points=1)
    right = CheckResult("t.a/third", "t.a", 1, 1, "passed")
    task = TaskResult("t.a", "First", 4, 1, (failed, again, right))
    values = {
        "assignment": "t",
        "version": 3,
        "submission": "mine.py",
        "sha256": "ab12",
        "key_id": "public",
        "isolation": "separate process",
        "library_version": "0.1.0",
        "tasks": (task,),
        "score": 1.0,
        "points": 4.0,
    }
    return Result(**values | changes)


def shown(made, width=100):
    console = Console(file=io.StringIO(), width=width)
    report.show(made, console)
    return console.file.getvalue()


def test_text_holds_score_task_seen_mistake_and_question():
    text = shown(result())
    assert "mine.py: 1 of 4 points (25 %), public checks of t version 3" in text
    assert "1 of 3" in text
    assert "Seen: it is wrong" in text
    assert "A known mistake: forgot it" in text
    assert "Ask yourself: Why?" in text


def test_the_same_words_are_said_once():
    text = shown(result())
    assert text.count("it is wrong") == 1
    assert "one way; other way" in text
    assert "3 points lost" in text


def test_two_mistakes_are_told_apart():
    made = result()
    checks = (replace(made.tasks[0].checks[0], also="took_another"),)
    made = replace(made, tasks=(replace(made.tasks[0], checks=checks),))
    for text in (shown(made), report.to_markdown(made)):
        assert "Two known mistakes: forgot it; took another" in text
    assert "<b>Two known mistakes:</b> forgot it; took another." in report.to_html(made)


@pytest.mark.parametrize(
    ("text", "as_markdown"),
    [
        ("1. no list", r"1\. no list"),
        ("1) no list", r"1\) no list"),
        ("# no heading", r"\# no heading"),
        ("- no list", r"\- no list"),
        ("12 of 3 - 4", "12 of 3 - 4"),
    ],
)
def test_a_line_of_markdown_begins_nothing(text, as_markdown):
    assert report.plain(text) == as_markdown


def test_of_many_checks_that_fail_alike_three_are_named():
    made = result()
    (first, *_) = made.tasks[0].checks
    for count, ends in ((4, "c 2; c 3\n"), (5, "c 2; and 2 more\n")):
        checks = tuple(replace(first, check=f"t.a/c_{i}") for i in range(count))
        text = shown(replace(made, tasks=(replace(made.tasks[0], checks=checks),)))
        assert f"c 0; c 1; {ends}" in text


def test_titles_stay_away_where_it_is_narrow():
    title = result().tasks[0].title.split()[0]
    assert [title in shown(result(), width) for width in (100, 60, 59, 40)] == [True] * 2 + [
        False
    ] * 2


def test_one_point_is_one_point():
    made = result()
    check = replace(made.tasks[0].checks[0], points=1.0)
    text = shown(replace(made, tasks=(replace(made.tasks[0], checks=(check,)),)))
    assert ", 1 point lost: " in text


def test_different_words_are_all_said():
    made = result()
    first, second, _ = made.tasks[0].checks
    checks = (replace(first, mistake=None), replace(second, mistake=None, seen="so is this"))
    text = shown(replace(made, tasks=(replace(made.tasks[0], checks=checks),)))
    assert "it is wrong" in text
    assert "so is this" in text


def test_a_known_mistake_is_told_once_though_its_numbers_differ():
    made = result()
    first, second, _ = made.tasks[0].checks
    checks = (first, replace(second, seen="3.5 is wrong, too"))
    text = shown(replace(made, tasks=(replace(made.tasks[0], checks=checks),)))
    assert text.count("A known mistake") == 1
    assert "3 points lost: one way; other way" in text


def test_advice_of_a_passed_check_is_shown():
    made = result()
    check = replace(made.tasks[0].checks[2], advice="x was changed in place")
    task = replace(made.tasks[0], checks=(check,))
    text = shown(replace(made, tasks=(task,)))
    assert "Advice: x was changed in place" in text
    assert "lost" not in text


def test_a_reason_replaces_the_checks():
    text = shown(result(reason="syntax error in line 3"))
    assert "Not graded: syntax error in line 3." in text
    assert "Ask yourself" not in text
    page = report.to_html(result(reason="syntax error in line 3"))
    assert "syntax error in line 3" in page
    assert "Ask yourself" not in page


def test_html_escapes_what_a_submission_says():
    page = report.to_html(result(seen="<script>alert(1)</script> & <b>", submission="<i>.py"))
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in page
    assert "<i>.py" not in page


def test_markdown_says_the_same_and_takes_nothing_for_markup():
    nasty = "*b* <i> [x](y) `c` | # _d_\n\n# heading"
    text = report.to_markdown(result(seen=nasty, submission="- [a](b).py", reason=""))
    assert r"\*b\* &lt;i&gt; \[x\]\(y\) \`c\` \| # \_d\_ # heading" in text
    assert text.startswith(r"# \- \[a\]\(b\).py: 1 of 4 points (25 %)")
    for line in (
        "- A known mistake: forgot it",
        "- Ask yourself: Why?",
        "one way; other way",
    ):
        assert line in text
    assert "Not graded" in report.to_markdown(result(reason="the file is empty"))


def test_control_characters_and_direction_marks_go_and_length_is_capped():
    nasty = "a\x1b[2Jb\x07c\u202edcba" + "z" * 5000
    for text in (shown(result(seen=nasty)), report.to_html(result(seen=nasty))):
        assert "abcdcba" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert "z" * 1500 not in text.replace("\n", "").replace(" ", "")


def test_html_stands_alone():
    page = report.to_html(result())
    assert "http" not in page.replace("http-equiv", "")
    assert "src=" not in page
    assert "default-src 'none'" in page
    assert page.startswith("<!DOCTYPE html>")


def test_markup_of_rich_is_not_interpreted():
    assert "[red]not red[/red]" in shown(result(seen="[red]not red[/red] :smile:"))
    assert ":smile:" in shown(result(seen="[red]not red[/red] :smile:"))


def test_verdicts_are_words_and_not_colours_alone():
    page = report.to_html(result())
    assert ">wrong</td>" in page
    assert ">passed</td>" in page


def test_hidden_reports_hold_no_expected_values(tiny):
    source = tiny.with_mistake("mean_doubled")
    public = grade_source(source, tiny, None, LocalSandbox())
    hidden = grade_source(source, tiny, SECRET, LocalSandbox())
    assert "of shape (4,), float64" in shown(public)
    # The example is on numbers that everybody may know, so it is the public one.
    example = public.tasks[1].checks[0].example
    assert "gave mean = [2], expected [1]" in example
    for text in (shown(hidden), report.to_html(hidden)):
        assert "expected" not in text
        assert "gave mean = [2]; what should it be?" in text
    assert "mean doubled" in shown(hidden)


def test_table_names_every_submission_task_and_mistake():
    console = Console(file=io.StringIO(), width=100)
    report.show_table([result(), result(submission="b.py", reason="the file is empty")], console)
    text = console.file.getvalue()
    assert "mine.py: forgot it" in text
    assert "b.py: not graded: the file is empty" in text
    assert "1 of 4" in text


@pytest.mark.parametrize("width", [60, 100])
def test_many_tasks_fit_a_narrow_console(width):
    made = result()
    names = [f"t.one_of_the_many_tasks_{number}" for number in range(17)]
    made = replace(made, tasks=tuple(replace(made.tasks[0], task=name) for name in names))
    console = Console(file=io.StringIO(), width=width)
    report.show_table([made], console)
    lines = console.file.getvalue().splitlines()
    for name in names:
        assert any(name[2:] in line and "forgot it" in line for line in lines)
    console = Console(file=io.StringIO(), width=width)
    report.show_table([made, replace(made, submission="other.py")], console)
    said = " ".join(console.file.getvalue().split())
    assert all(f"{name[2:]} 3" in said for name in names)


def test_an_empty_table_prints_nothing():
    console = Console(file=io.StringIO())
    bulk.show([], console)
    assert console.file.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "most", "want"),
    [
        ("a\tb\nc", 9, "a\tb\nc"),
        ("\x1b]0;title\x07x", 9, "x"),
        ("\x00\x9b31mred", 9, "31mred"),
        ("0123456789", 9, "012345..."),
        (None, 9, "None"),
    ],
)
def test_clean(text, most, want):
    assert clean(text, most) == want
