"""Hostile submissions, each written once, made into whole files in two forms.

Each lies in a TOML file under attacks/, as data: it is never imported here. It has the lines of a
module and the lines of one function, whose first argument is `x`. Where it has achieved what it is
after (a file read, a process started), it returns `loot()`, the right answer; so whatever is not
stopped earns points, and is seen.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from minidl.grading.syntax import parse

FOLDER = Path(__file__).parent / "attacks"
ROWS = range(1, 23)


@dataclass(frozen=True)
class Attack:
    """One attack.

    Parameters
    ----------
    name : in words joined by underscores.
    rows : numbers of the rows of the catalogue (see `CATALOGUE`) it belongs to.
    says : what it does, in one sentence.
    ends : words, one of which stands in what the report says about it.
    module, function : its lines.
    """

    name: str
    rows: tuple[int, ...]
    says: str
    ends: tuple[str, ...]
    module: str
    function: str

    def everywhere(self, solution: str) -> str:
        """Return a submission that has nothing but the attack, in the place of every function."""
        parts = [self.module]
        for function in _functions(solution):
            parts += [self._right(function), self._attacked(function, self.function)]
        return _joined(self.says, parts)

    def in_one(self, solution: str, target: str) -> str:
        """Return a right submission but for one function, which holds the whole attack."""
        parts = []
        for function in _functions(solution):
            if function.name == target:
                body = f"{self.module}\n{self.function}"
                parts += [self._right(function), self._attacked(function, body)]
            else:
                parts.append(ast.unparse(function))
        return _joined(self.says, parts)

    def _right(self, function: ast.FunctionDef) -> str:
        """Return the right function under another name, where the attack rewards itself."""
        if "loot()" not in self.function:
            return ""
        return ast.unparse(function).replace(f"def {function.name}(", f"def right_{function.name}(")

    def _attacked(self, function: ast.FunctionDef, body: str) -> str:
        loot = f"loot = lambda: right_{function.name}({ast.unparse(function.args)})\n"
        loot = loot if "loot()" in body else ""
        return f"def {function.name}({ast.unparse(function.args)}):\n" + indent(loot + body, "    ")


def _functions(solution: str) -> list[ast.FunctionDef]:
    return [node for node in parse(solution).body if isinstance(node, ast.FunctionDef)]


def _joined(says: str, parts: list[str]) -> str:
    blocks = [f'"""{says}"""', "import numpy as np", *(part.strip("\n") for part in parts)]
    return "\n\n\n".join(block for block in blocks if block) + "\n"


def attacks() -> list[Attack]:
    """Return every attack, in the order of the files' names and within them."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["attack"]:
            lists = {key: tuple(entry[key]) for key in ("rows", "ends")}
            found.append(Attack(**{**entry, **lists}))
    return found


CATALOGUE = {
    1: "reading checks, references, secrets, other submissions",
    2: "stack frames, garbage collector, closures",
    3: "patching NumPy, test modules, builtins",
    4: "values that lie about themselves",
    5: "leaving before the verdict",
    6: "forged results, time, messages",
    7: "hostile messages and floods",
    8: "never coming back",
    9: "memory and disk",
    10: "processes and threads",
    11: "network",
    12: "power over other processes",
    13: "things left behind",
    14: "state kept between checks",
    15: "hard-coded answers",
    16: "importing the answer",
    17: "carrying hidden inputs out",
    18: "hostile files and markup",
    19: "noticing that grading is going on",
    20: "terminal and direction codes in feedback",
    21: "damaged inputs, views of one buffer",
    22: "chatter",
}
