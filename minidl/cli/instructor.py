"""Commands for instructors."""

from __future__ import annotations

from pathlib import Path

import click

from minidl.cli.group import WorkIsWrong, progress, spinner


@click.command()
@click.argument("submissions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--assignment", help="Id or folder; by default the one the files are named after.")
@click.option("--key", type=click.Path(path_type=Path), help="Your secret; made where it is not.")
@click.option("--public", is_flag=True, help="Run the public checks in place of the hidden ones.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for a JSON and HTML report each."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_context
def grade(
    context: click.Context,
    submissions: tuple[Path, ...],
    assignment: str | None,
    key: Path | None,
    public: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run the hidden checks on SUBMISSIONS: .py files or notebooks.

    Their inputs come from your secret (--key FILE; by default grading.key in your configuration
    folder). A submission that cannot be read gets one line on standard error, and the others are
    graded. Exits with 2 if there was such a one, else with 1 if any score is below 100 %.
    """
    from minidl.grading import bulk
    from minidl.grading.assignment import Assignment
    from minidl.grading.key import load_or_create_key
    from minidl.terminal import clean, console

    if public and key is not None:
        raise click.UsageError("--public and --key exclude each other.")
    loaded = Assignment.load(assignment or bulk.assignment_of(submissions))
    secret = None if public else load_or_create_key(key)
    with progress("grading", len(submissions)) as advance:
        found = bulk.grade_all(submissions, loaded, secret, out, advance)
    if as_json:
        click.echo(bulk.to_json(found))
    else:
        bulk.show(found, console())
    for graded in found:
        if graded.error:
            console(stderr=True).print(f"minidl: {clean(graded.error)}", soft_wrap=True)
    if out is not None and not as_json:
        console().print(f"Reports: {clean(out)}", soft_wrap=True)
    context.exit(bulk.exit_code(found))


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


COMMANDS = (grade, certify)
