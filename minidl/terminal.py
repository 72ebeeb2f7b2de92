"""Text for a person at a terminal, a pipe or a log: any encoding, with and without colour.

Colour and boxes are decoration; whatever they say, a word says too.
"""

from __future__ import annotations

import io
import re
import sys

from rich.box import Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 100
# One line below the head, in characters that every console has.
_BOX = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
# Control characters, marks that turn the direction of writing around, halves of characters.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])")


def clean(text: object, most: int = 2000) -> str:
    """Return text that is safe to show: no control characters, and at most `most` characters.

    Examples
    --------
    >>> clean("a\\x1b[31mred\\x1b[0m\\rword"), clean("x" * 9, most=4)
    ('aredword', 'x...')
    """
    plain = _CONTROL.sub("", _ESCAPE.sub("", str(text)))
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def console(stderr: bool = False) -> Console:
    """Return a console that honours NO_COLOR and TERM=dumb, and writes ASCII where it must.

    What the stream's encoding cannot express is shown as an escape, never an error.
    """
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(
        file=stream,
        width=width,
        highlight=False,
        emoji=False,
        markup=False,
        force_jupyter=False,
    )


def table(*columns: str, title: str | None = None, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; columns named in `right` are numbers and stand to the right."""
    made = Table(box=_BOX, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(
            column, justify="right" if column in right else "left", overflow="fold", header_style=""
        )
    return made


def cells(*values: object, style: str = "") -> list[Text]:
    """Return one row's values as text in which nothing is markup."""
    return [Text(clean(value, 400), style=style) for value in values]
