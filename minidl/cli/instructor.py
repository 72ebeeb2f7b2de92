"""Commands for instructors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from minidl.cli.group import Complaint, WorkIsWrong, bar, progress, spinner
from minidl.errors import expected


@click.command()
@click.argument("submissions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--assignment", help="Id or folder; by default the one the files are named after.")
@click.option("--key", type=click.Path(path_type=Path), help="Your secret; made where it is not.")
@click.option("--public", is_flag=True, help="Run the public checks in place of the hidden ones.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for reports; for a folder of submissions by default ./graded.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; by default one for each core.")
@click.option("--json", "as_json", is_flag=True, help="Print the results of files as JSON.")
@click.option("--roster", type=click.Path(path_type=Path), help="CSV file: who is in the class.")
@click.option(
    "--gradebook",
    type=click.Path(path_type=Path),
    help="For a folder: the SQLite file; by default gradebook.sqlite among the reports.",
)
@click.option("--similarity", is_flag=True, help="Say in the class report who is near a copy.")
@click.option("--regrade", is_flag=True, help="Grade a folder once more; every attempt is kept.")
@click.option(
    "--scheduler",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Who grades a folder: processes here, or an existing Dask cluster.",
)
@click.option("--address", help="Of Dask's scheduler, tcp://HOST:8786; or DASK_SCHEDULER_ADDRESS.")
@click.pass_context
def grade(context: click.Context, submissions: tuple[Path, ...], **options: Any) -> None:
    """Run the hidden checks on SUBMISSIONS: .py files or notebooks, or one folder of a class.

    Their inputs come from your secret (--key FILE; by default grading.key in your configuration
    folder). A submission that cannot be read gets one line on standard error, and the others are
    graded. Exits with 2 if there was such a one, else with 1 if any score is below 100 %.

    A folder may hold STUDENT.py, STUDENT/ASSIGNMENT.py, nbgrader's submitted/STUDENT/ASSIGNMENT, or
    what Canvas and Moodle download. Its results go into a gradebook; what that holds already is not
    graded again, so a run that was stopped goes on where it was.
    """
    from minidl.grading.key import load_or_create_key

    if options["public"] and options["key"] is not None:
        raise click.UsageError("--public and --key exclude each other.")
    a_class = len(submissions) == 1 and submissions[0].is_dir()
    for_folders = ("roster", "gradebook", "regrade", "similarity", "address")
    given = [name for name in for_folders if options[name]]
    given += ["scheduler"] if options["scheduler"] != "local" else []
    if given and not a_class:
        raise click.UsageError(f"--{given[0]} is for a folder of submissions.")
    if options["as_json"] and a_class:
        raise click.UsageError("--json is for files; `minidl gradebook export` is for a folder.")
    run = _grade_folder if a_class else _grade_files
    context.exit(run(submissions, lambda: load_or_create_key(options["key"]), options))


def _grade_files(paths: Sequence[Path], key: Callable[[], bytes], options: dict[str, Any]) -> int:
    from minidl.grading import bulk, feedback
    from minidl.grading.assignment import Assignment
    from minidl.grading.classroom import on_this_machine
    from minidl.grading.gradebook import Gradebook
    from minidl.terminal import clean, console

    out = options["out"]
    assignment = Assignment.load(options["assignment"] or bulk.assignment_of(paths))
    secret = None if options["public"] else key()
    if out is not None:
        feedback.make_folder(out)
    with Gradebook(":memory:") as gradebook, progress("grading", len(paths)) as advance:
        plan = bulk.Plan(
            assignments={assignment.id: assignment},
            key=secret,
            gradebook=gradebook,
            scheduler=on_this_machine(len(paths), options["jobs"] or 1),
            report=lambda e, r: feedback.write(out, e.student, r) if out is not None else None,
        )
        found = bulk.grade_files(paths, assignment, plan, advance)
    if options["as_json"]:
        click.echo(bulk.to_json(found))
    else:
        bulk.show(found, console())
    for graded in found:
        if graded.error:
            console(stderr=True).print(f"minidl: {clean(graded.error)}", soft_wrap=True)
    if out is not None and not options["as_json"]:
        console().print(f"Reports: {clean(out)}", soft_wrap=True)
    return bulk.exit_code(found)


def _grade_folder(paths: Sequence[Path], key: Callable[[], bytes], options: dict[str, Any]) -> int:
    from minidl.grading import classroom
    from minidl.grading.dask import Dask
    from minidl.terminal import clean, console

    scheduler = Dask(options["address"]) if options["scheduler"] == "dask" else None
    settings = classroom.Settings(
        key=None if options["public"] else key(),
        assignment=options["assignment"] or "",
        out=options["out"] or Path("graded"),
        gradebook=options["gradebook"],
        roster=options["roster"],
        regrade=options["regrade"],
        likeness=options["similarity"],
        jobs=options["jobs"] or 0,
        scheduler=scheduler,
    )
    group = classroom.Classroom(paths[0], settings)
    with progress("grading", len(group.found.entries)) as advance:
        summary = group.grade(advance)
    out, err = console(), console(stderr=True)
    for line in summary.lines(settings.out, group.gradebook):
        out.print(clean(line), soft_wrap=True)
    for problem in summary.problems:
        err.print(f"minidl: {clean(problem)}", soft_wrap=True)
    return summary.exit_code


@click.command()
@click.argument("assignments", nargs=-1, required=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
def release(assignments: tuple[str, ...], to: Path) -> None:
    """Write what students of ASSIGNMENTS receive: starters as scripts and notebooks, and lessons.

    All of it is looked through for pieces of the solutions, before and after it is written. A file
    that you have edited since an earlier release stays as it is. Exits with 1 where something gives
    a solution away.
    """
    from minidl.grading.assignment import Assignment
    from minidl.grading.release import LeakError
    from minidl.grading.release import release as write
    from minidl.terminal import clean, console

    try:
        done = write([Assignment.load(name) for name in assignments], to)
    except LeakError as error:
        raise WorkIsWrong(str(error)) from None
    out = console()
    for verb, names in (("wrote", done.written), ("kept", done.edited)):
        for name in names:
            left = " (edited since it was released, left as it is)" if verb == "kept" else ""
            out.print(f"{verb} {clean(to / name)}{left}", soft_wrap=True)
    if done.unchanged:
        out.print(f"{len(done.unchanged)} files are up to date.", soft_wrap=True)
    out.print("Looked through: no solution in any of it.", soft_wrap=True)


_gradebook_file = click.argument("file", type=click.Path(path_type=Path))
_best = click.option("--best", is_flag=True, help="The best attempt, not that of the latest file.")
_roster = click.option("--roster", type=click.Path(path_type=Path), help="CSV file: the class.")


@click.group()
def gradebook() -> None:
    """Show a gradebook, a student's history, or export the points."""


@gradebook.command()
@_gradebook_file
@_best
def show(file: Path, best: bool) -> None:
    """Print everybody's points from the gradebook FILE."""
    from minidl.grading.gradebook import Gradebook
    from minidl.terminal import cells, console, table

    shown = table("student", "assignment", "points", "of", "files", right=("points", "of", "files"))
    with Gradebook(file, create=False) as book:
        files = book.counts()
        for attempt in book.attempts("best" if best else "latest"):
            own, result = attempt.identity, attempt.result
            number = files[own.student, own.assignment]
            points = (f"{result.score:g}", f"{result.points:g}")
            shown.add_row(*cells(own.student, own.assignment, *points, number))
    console().print(shown)


@gradebook.command()
@_gradebook_file
@click.argument("student")
def history(file: Path, student: str) -> None:
    """Print every attempt of STUDENT in the gradebook FILE, in order."""
    from minidl.grading.gradebook import Gradebook
    from minidl.terminal import cells, console, table

    right = ("number", "points", "of")
    shown = table("number", "assignment", "points", "of", "file", "key", "graded", "", right=right)
    with Gradebook(file, create=False) as book:
        for attempt in book.history(student):
            own, result = attempt.identity, attempt.result
            name = f"{own.assignment}@{own.version}"
            again = f"regrade {attempt.regrade}" if attempt.regrade else ""
            points = (f"{result.score:g}", f"{result.points:g}")
            rest = (own.sha256[:12], own.key_id, attempt.graded_at, again)
            shown.add_row(*cells(attempt.sequence, name, *points, *rest))
        if not shown.rows:
            known = ", ".join(book.students()[:20])
            raise Complaint(expected("gradebook", f"a student of it ({known})", repr(student)))
    console().print(shown)


@gradebook.command()
@_gradebook_file
@click.option(
    "--as",
    "form",
    type=click.Choice(["plain", "canvas", "moodle"]),
    default="plain",
    show_default=True,
    help="Which columns: Canvas and Moodle import their own.",
)
@click.option("--to", type=click.Path(path_type=Path), help="CSV file; by default it is printed.")
@_roster
@_best
def export(file: Path, form: str, to: Path | None, roster: Path | None, best: bool) -> None:
    """Write everybody's points in the gradebook FILE as CSV."""
    from minidl.grading.gradebook import Gradebook
    from minidl.grading.marks import to_csv
    from minidl.grading.result import write_results
    from minidl.grading.roster import Roster
    from minidl.terminal import clean, console

    students = Roster.read(roster) if roster else None
    with Gradebook(file, create=False) as book:
        text = to_csv(book, form, "best" if best else "latest", students)
    if to is None:
        click.echo(text, nl=False)
    else:
        write_results(text, to)
        console().print(f"wrote {clean(to)}", soft_wrap=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--assignment", help="Id or folder; by default the one the files are named after.")
@_roster
def similarity(folder: Path, assignment: str | None, roster: Path | None) -> None:
    """Say which submissions in FOLDER are near copies, of the reference or of each other.

    A reason to look, never a score: short tasks have few right solutions. Needs copydetect, which
    `pip install 'minidl[similarity]'` brings.
    """
    from minidl.grading.classroom import Classroom, Settings
    from minidl.terminal import cells, clean, console, table

    group = Classroom(folder, Settings(None, assignment or "", roster=roster))
    out = console()
    for name in group.assignments:
        found = group.alike(name)
        if found is None:
            continue
        out.print(f"{clean(name)}: {found.compared} submissions compared", soft_wrap=True)
        shown = table("student", "near", "in common", right=("in common",))
        for pair in (*found.reference, *found.pairs):
            near = pair.second or "(the reference)"
            shown.add_row(*cells(pair.first, near, f"{100 * pair.share:.0f} %"))
        if shown.rows:
            out.print(shown)
        for members in found.same:
            names = ", ".join(clean(member, 120) for member in members)
            out.print(f"The same but for names and comments: {names}", soft_wrap=True)
    out.print("A reason to look, never a score: short tasks have few right solutions.")
    for problem in group.found.problems:
        console(stderr=True).print(f"minidl: {clean(problem)}", soft_wrap=True)


@click.command()
@click.argument("assignments", nargs=-1)
@click.option("--secrets", type=click.IntRange(min=1), default=3, show_default=True)
def certify(assignments: tuple[str, ...], secrets: int) -> None:
    """Prove the quality of ASSIGNMENTS (by default all): what their checks kill, name, leave alone.

    Exits with 1 unless everything holds.
    """
    from minidl.course import workspace
    from minidl.grading import certify as certification
    from minidl.grading.assignment import Assignment
    from minidl.grading.assignment import course as ids
    from minidl.terminal import console

    wrong = []
    for name in assignments or ids():
        assignment = Assignment.load(name)
        released = workspace.released(assignment)
        with spinner(f"certifying {assignment.id}"):
            certificate = certification.certify(assignment, secrets, released)
        certification.show(certificate, console())
        wrong += [name] if not certificate.ok else []
    if wrong:
        raise WorkIsWrong(
            f"certify: expected everything to hold, it does not for {', '.join(wrong)}"
        )


@click.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_context
def selftest(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Attack this machine's sandbox: every known cheat, as a submission (by default all NAMES).

    Each is graded twice: with nothing else in the file, where it must score 0, and in one of three
    right functions, where it must lose that one and nothing else. Takes about a minute. Exits with
    1 where an attack has any success.
    """
    from minidl.grading import selftest as trust
    from minidl.terminal import console

    chosen = trust.choose(names)
    with bar("attacking", len(chosen)) as advance:
        trials, isolation = trust.run(chosen, lambda trial: advance(True))
    if as_json:
        click.echo(trust.to_json(trials, isolation))
    else:
        trust.show(trials, isolation, console())
    context.exit(0 if all(trial.ok for trial in trials) else 1)


COMMANDS = (release, grade, gradebook, similarity, certify, selftest)
