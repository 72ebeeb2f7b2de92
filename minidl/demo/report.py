"""Step 4: everything in one HTML file that stands alone."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from minidl import doctor, threads, viz
from minidl.demo.grading import ASSIGNMENT, Attempt
from minidl.demo.network import Training
from minidl.demo.race import STUDENT, Race
from minidl.grading.assignment import Assignment
from minidl.grading.result import write_results

THEMES = {"light": viz.LIGHT, "dark": viz.DARK}
MASKS = ((0.9, 1), (0.9, 3), (0.7, 3))


def write(
    path: Path, training: Training, attempts: list[Attempt], race: Race, seconds: float
) -> Path:
    """Write the report beside its place, rename it into place, and return the path."""
    environment = Environment(
        loader=PackageLoader("minidl.demo", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("report.html").render(
        training=training,
        last=training.history.last,
        attempts=attempts,
        assignment=Assignment.load(ASSIGNMENT),
        race=race,
        rows={
            "batch_norm": race.rows(race.batch_norm),
            "everything": race.rows(race.everything),
        },
        student_calls=sum(race.student.calls.values()),
        pictures=pictures(training, race),
        facts=_facts(training, attempts, seconds),
    )
    return write_results(text, path)


def pictures(training: Training, race: Race) -> dict[str, dict[str, str]]:
    """Return name -> theme -> picture as a data address."""
    drawn: dict[str, dict[str, str]] = {"curves": {}, "masks": {}, "speed": {}}
    for name, theme in THEMES.items():
        figures: dict[str, Figure] = {
            "curves": viz.training_curves(
                training.history, training.keep_prob, training.settings.target, theme
            ),
            "masks": viz.drop_block_masks(
                training.activation, MASKS, np.random.default_rng(training.settings.seed), theme
            ),
            "speed": viz.speed_bars(
                race.speeds(race.batch_norm), "images/s", highlight=STUDENT, theme=theme
            ),
        }
        for picture, figure in figures.items():
            drawn[picture][name] = viz.data_uri(figure)
    return drawn


def _facts(training: Training, attempts: list[Attempt], seconds: float) -> dict[str, Any]:
    result = attempts[-1].result
    settings = training.settings
    rows = [
        *doctor.versions(),
        *(row for row in doctor.machine() if row[0] in ("system", "processor", "cores", "threads")),
        ("seed", f"{settings.seed}; batches of {settings.batch_size}, {settings.epochs} epochs"),
        ("grading", f"{result.assignment} version {result.version}, key {result.key_id}"),
        ("isolation", result.isolation),
    ]
    count = threads.get_num_threads()
    return {
        "rows": rows,
        "seconds": seconds,
        "threads": "one thread" if count == 1 else f"{count} threads",
        "when": datetime.datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
    }
