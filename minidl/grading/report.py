"""A Result for people: text for the terminal, one standalone HTML page for everybody else.

Whatever came from a submission is stripped of control characters, cut to length, and escaped. A
report of hidden checks holds what the grader decided to say, and no expected values: those never
enter a Result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import jinja2
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from minidl.grading.finding import listed
from minidl.grading.result import CheckResult, Result, TaskResult
from minidl.terminal import cells, clean, table

WORDS = {"passed": "passed", "failed": "wrong", "error": "no result"}
STYLES = {"passed": "green", "failed": "red", "error": "red"}
MOST_SHOWN = 1200
MOST_NAMES = 3
WIDE = 60  # columns of a terminal, from which on there is room for titles


@dataclass(frozen=True)
class Remark:
    """What is said about one or more checks of a task that failed in the same way.

    Parameters
    ----------
    names : the checks, in words.
    status : in words.
    lost : the points lost.
    seen, example, question, advice : as in CheckResult.
    mistakes : the one recognised, or both, in words.
    """

    names: tuple[str, ...]
    status: str
    lost: float
    seen: str
    example: str
    mistakes: tuple[str, ...]
    question: str
    advice: str

    @property
    def brief(self) -> str:
        """The checks in a line: of many, the first three."""
        more = len(self.names) - MOST_NAMES
        if more < 2:
            return "; ".join(self.names)
        return f"{'; '.join(self.names[:MOST_NAMES])}; and {more} more"

    @property
    def known(self) -> str:
        """The mistakes in a label and their names: "A known mistake: no root"."""
        if not self.mistakes:
            return ""
        label = "A known mistake" if len(self.mistakes) == 1 else "Two known mistakes"
        return f"{label}: {'; '.join(self.mistakes)}"

    @property
    def lines(self) -> list[str]:
        """What is said, each part with its label."""
        labelled = [
            f"Seen: {self.seen}" if self.seen else "",
            f"For example: {self.example}" if self.example else "",
            self.known,
            f"Ask yourself: {self.question}" if self.question else "",
            f"Advice: {self.advice}" if self.advice else "",
        ]
        return [line for line in labelled if line]


def remarks(task: TaskResult) -> list[Remark]:
    """Return what there is to say about a task, the same thing only once.

    Checks that failed for the same cause are told together, in the words of the first of them: the
    others differ in a shape or in numbers.

    Returns
    -------
    list of Remark
        In the order of the checks; none for checks that passed without advice.
    """
    together: dict[tuple, list[CheckResult]] = {}
    for check in task.checks:
        if check.status != "passed" or check.advice:
            alike = check.status == "error" or check.mistake
            cause = "" if alike else check.cause or check.seen
            said = (check.status, cause, check.mistake, check.also, check.question, check.advice)
            together.setdefault(said, []).append(check)
    return [_remark(checks) for checks in together.values()]


def _remark(checks: Sequence[CheckResult]) -> Remark:
    first = checks[0]
    named = [name for name in (first.mistake, first.also) if name]
    return Remark(
        names=tuple(clean(check.name, 120) for check in checks),
        status=WORDS[first.status],
        lost=sum(check.points - check.earned for check in checks),
        seen=clean(first.seen, MOST_SHOWN),
        example=clean(first.example, MOST_SHOWN),
        mistakes=tuple(clean(m, 120).replace("_", " ") for m in named),
        question=clean(first.question, MOST_SHOWN),
        advice=clean(first.advice, MOST_SHOWN),
    )


def headline(result: Result) -> str:
    """Return one line: which submission, how many points, which checks."""
    checks = "public checks" if result.key_id == "public" else f"hidden checks, key {result.key_id}"
    return (
        f"{clean(result.submission, 120)}: {result.score:g} of {result.points:g} points "
        f"({result.percent:g} %), {checks} of {result.assignment} version {result.version}"
    )


def show(result: Result, console: Console) -> None:
    """Print a result: a table of the tasks, then what there is to say about each.

    Tasks that are as the starter has them are named together: there is nothing to say of each.
    """
    console.print(headline(result), style="bold", soft_wrap=True)
    if result.reason:
        console.print(f"Not graded: {clean(result.reason, MOST_SHOWN)}.", style="red")
        return
    for note in result.notes:
        console.print(f"Note: {clean(note, MOST_SHOWN)}.", soft_wrap=True)
    titles = ["title"] if console.width >= WIDE else []
    shown = table("task", *titles, "points", "of", "checks passed", right=("points", "of"))
    for task in result.tasks:
        passed = sum(check.status == "passed" for check in task.checks)
        title = [task.title] if titles else []
        shown.add_row(
            *cells(short(task), *title, f"{task.earned:g}", f"{task.points:g}"),
            Text(f"{passed} of {len(task.checks)}", style="green" if task.passed else "red"),
        )
    console.print(shown)
    bare = [task for task in result.tasks if unwritten(task)]
    for task in result.tasks:
        for remark in remarks(task) if task not in bare else ():
            _show_remark(task, remark, console)
    if bare:
        names = listed([short(task) for task in bare])
        verb, asked = "are", "What do their docstrings ask for first?"
        if len(bare) == 1:
            verb, asked = "is", "What does its docstring ask for first?"
        console.print(f"{names} {verb} not written yet. {asked}\n")


def unwritten(task: TaskResult) -> bool:
    """Whether a task is as the starter has it."""
    return all(check.seen.endswith(" is not written yet.") for check in task.checks)


def _show_remark(task: TaskResult, remark: Remark, console: Console) -> None:
    points = "1 point" if remark.lost == 1 else f"{remark.lost:g} points"
    lost = f", {points} lost" if remark.lost else ""
    console.print(f"{short(task)}, {remark.status}{lost}: {remark.brief}", style="bold")
    for line in remark.lines:
        console.print(Padding(Text(line), (0, 0, 0, 4)))
    console.print()


def short(task: TaskResult) -> str:
    """Return a task's name without its assignment's: "forward"."""
    return clean(task.task.partition(".")[2] or task.task, 120)


def show_table(results: Iterable[Result], console: Console) -> None:
    """Print what several submissions earned: one alone task by task, of others what they lost."""
    rows = list(results)
    if not rows:
        return
    console.print(_by_task(rows[0]) if len(rows) == 1 else _by_submission(rows))
    for result in rows:
        mistakes = ", ".join(name.replace("_", " ") for name in result.mistakes)
        known = mistakes if len(rows) > 1 else ""  # one alone has them beside its tasks
        said = f"not graded: {result.reason}" if result.reason else known
        if said:
            console.print(f"{clean(result.submission, 120)}: {clean(said)}", soft_wrap=True)


def _by_task(result: Result) -> Table:
    """Return a row for each task."""
    title = f"{clean(result.submission, 120)}: {result.score:g} of {result.points:g}"
    shown = table("task", "points", "of", "known mistakes", title=title, right=("points", "of"))
    for task in result.tasks:
        known = dict.fromkeys(m for check in task.checks for m in (check.mistake, check.also) if m)
        mistakes = ", ".join(name.replace("_", " ") for name in known)
        shown.add_row(*cells(short(task), f"{task.earned:g}", f"{task.points:g}", mistakes))
    return shown


def _by_submission(results: Sequence[Result]) -> Table:
    """Return a row for each submission: its score, and in which tasks it lost how much."""
    shown = table("submission", "score", "points lost", right=("score",))
    shown.columns[1].no_wrap = True
    for result in results:
        lost = [(short(t), t.points - t.earned) for t in result.tasks if t.earned < t.points]
        whole = len(lost) == len(result.tasks) and not result.score
        words = "all" if whole else ", ".join(f"{name} {points:g}" for name, points in lost)
        score = f"{result.score:g} of {result.points:g}"
        shown.add_row(*cells(result.submission, score), Text(clean(words)))
    return shown


def to_html(result: Result) -> str:
    """Return one standalone page: no scripts, nothing loaded from elsewhere, everything escaped."""
    return _filled("result.html", result)


def to_markdown(result: Result) -> str:
    """Return the same as Markdown, in which nothing that came from a submission is markup."""
    return _filled("result.md", result)


def _filled(name: str, result: Result) -> str:
    return template(name).render(
        result=result,
        headline=headline(result),
        remarks={task.task: remarks(task) for task in result.tasks},
        words=WORDS,
    )


@cache
def template(name: str) -> jinja2.Template:
    """Return a template of this package: HTML escapes by itself, Markdown by the filter `plain`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("minidl.grading"),
        autoescape=name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"clean": clean, "plain": plain}
    return environment.get_template(name)


def plain(text: object, most: int = MOST_SHOWN) -> str:
    """Return text on one line in which Markdown, and HTML within it, finds nothing to interpret.

    Examples
    --------
    >>> print(plain("*x* <b> [a](b)\\n# c | d"))
    \\*x\\* &lt;b&gt; \\[a\\]\\(b\\) # c \\| d
    """
    line = " ".join(clean(text, most).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A dot or a sign in the middle of a line is no list and no heading: numbers stay readable.
    line = re.sub(r"([\\`*_{}\[\]()|~!])", r"\\\1", line)
    return re.sub(r"^(\d*)([#+.-])", r"\1\\\2", line)
