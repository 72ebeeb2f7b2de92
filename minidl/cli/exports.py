"""Commands that carry an assignment to other systems."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def export() -> None:
    """Carry an assignment to Gradescope or nbgrader."""


@export.command()
@click.argument("assignment")
@click.option("--to", type=click.Path(path_type=Path), help="The zip; by default ASSIGNMENT.zip.")
@click.option("--key", type=click.Path(path_type=Path), help="Your secret; made where it is not.")
@click.option(
    "--visibility",
    type=click.Choice(["visible", "after_due_date", "after_published", "hidden"]),
    default="visible",
    show_default=True,
    help="When students see the checks, and with them their points.",
)
def gradescope(assignment: str, to: Path | None, key: Path | None, visibility: str) -> None:
    """Write the zip that is Gradescope's autograder for ASSIGNMENT.

    Upload it there. It brings minidl along: the image needs PyPI once, and no compiler.
    """
    from minidl.grading.assignment import Assignment
    from minidl.grading.gradescope import export as write
    from minidl.grading.key import key_id, load_or_create_key
    from minidl.terminal import clean, console

    loaded, secret = Assignment.load(assignment), load_or_create_key(key)
    path = write(loaded, secret, to or Path(f"{loaded.id}.zip"), visibility)  # type: ignore[arg-type]
    console().print(f"wrote {clean(path)} with key {key_id(secret)}", soft_wrap=True)
    console().print("Keep it to yourself: who has it has the hidden inputs.", soft_wrap=True)


@export.command()
@click.argument("assignment")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The course's folder, by default the current one.",
)
def nbgrader(assignment: str, to: Path) -> None:
    """Write ASSIGNMENT's source notebook into an nbgrader course.

    `nbgrader generate_assignment`, `collect` and `autograde` do the rest, with your own secret on
    the machine that grades.
    """
    from minidl.grading.assignment import Assignment
    from minidl.grading.nbgrader import export as write
    from minidl.terminal import clean, console

    path = write(Assignment.load(assignment), to)
    console().print(f"wrote {clean(path)}", soft_wrap=True)
    console().print(f"Next: nbgrader generate_assignment {path.stem}", soft_wrap=True)


COMMANDS = (export,)
