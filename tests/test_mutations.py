"""Every specification broken on purpose, one place at a time: the oracles must notice.

Each mutant changes one sign, axis, factor, bound, comparison or index of a NumPy specification by
its syntax tree. What survives must stand in EQUIVALENT, with the reason why it is no mistake.
"""

import ast
import copy
import importlib
import inspect
import types
from fnmatch import fnmatchcase

import pytest
from kernel_oracles import ORACLES

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
}
TWISTS = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max"}

ROOM = "more padding than any window reaches is cut off again, or never read"
SHAPE = "NumPy takes any negative number for the length it is to find out"
NOWHERE = "every place below 0 is nowhere"
FIRST = "the first tap of a window overwrites what y and argmax begin with"
EQUIVALENT = {
    "activation": {
        "sigmoid_forward: *np.where(x <= 0, e, 1)*": "at 0 both are 1",
        "elu_backward: return np.where(x > 0, *np.minimum(x, 1)*": "what lies above 0 is left out",
    },
    "conv2d": {
        "forward: rows = weight.reshape(groups, o // groups, -2)": SHAPE,
        "backward_input: rows = weight.reshape(groups, o // groups, -2)": SHAPE,
        "backward_input: padded = np.zeros((n, c, h + 3 * ph, w + 2 * pw), dy.dtype)": ROOM,
        "backward_input: padded = np.zeros((n, c, h + 2 * ph, w + 3 * pw), dy.dtype)": ROOM,
    },
    "lrn": {"forward: before, after = *": ROOM, "backward: before, after = *": ROOM},
    "pool": {
        "max_forward: y = np.full((n, c, oh, ow), np.inf, x.dtype)": FIRST,
        "max_forward: argmax = np.full((n, c, oh, ow), -2, np.int64)": FIRST,
        "max_backward_local: return max_backward(dy, np.where(inside, *, -2), x_shape)": NOWHERE,
        "max_backward_local: inside = (where < kh * kw) & (row < h) & *": NOWHERE,
    }
    | {
        f"{function}: {side} = max(*": ROOM
        for function in ("max_forward", "avg_forward", "avg_backward")
        for side in ("below", "right")
    },
}


def variants(node):
    """Every way to break one node of a syntax tree, as new nodes."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OPERATORS:
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        yield node.left
        if isinstance(node.op, (ast.Mult, ast.MatMult)):
            yield node.right
    elif isinstance(node, ast.AugAssign):
        yield ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)
        yield ast.Assign([ast.copy_location(node.target, node)], node.value)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        for other in COMPARISONS[type(node.ops[0])]:
            yield ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Name) and node.id in TWISTS:
        yield ast.Name(TWISTS[node.id], node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr in TWISTS:
        yield ast.Attribute(node.value, TWISTS[node.attr], node.ctx)
    elif isinstance(node, ast.keyword) and node.arg == "axis":
        yield from axes(node.value)


def axes(value):
    """`axis=` with another axis, or with one less."""
    if isinstance(value, ast.Tuple):
        for left_out in value.elts:
            kept = [axis for axis in value.elts if axis is not left_out]
            yield ast.keyword("axis", ast.Tuple(kept, value.ctx))
    else:
        yield ast.keyword("axis", ast.Constant(0 if value.value == 1 else 1))


def places(function):
    """Nodes to break, each with the statement it stands in; messages of errors are left alone."""
    for statement in ast.walk(function):
        if isinstance(statement, ast.stmt) and not isinstance(
            statement, (ast.FunctionDef, ast.Raise, ast.For, ast.If)
        ):
            yield from ((statement, node) for node in ast.walk(statement))
        elif isinstance(statement, ast.If):
            yield from ((statement, n) for n in ast.walk(statement.test))


def mutants(source):
    """(name, source) of every mutant of a module; the name tells function and broken statement."""
    parts = ast.parse(source).body
    texts = [ast.unparse(part) for part in parts]
    for number, function in enumerate(parts):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement, node in places(function):
            for variant in variants(node):
                text, broken = mutant(function, statement, node, variant)
                whole = [*texts[:number], broken, *texts[number + 1 :]]
                yield f"{function.name}: {text}", "\n".join(whole)


def mutant(function, statement, node, variant):
    """The text of one statement, and of its function, with a variant in the place of a node."""
    memory = {}
    broken = copy.deepcopy(function, memory)
    # deepcopy remembers which copy stands for which node: put the variant in its place.
    twin, new = memory[id(node)], copy.deepcopy(variant)
    broken = ast.fix_missing_locations(Replace(twin, new).visit(broken))
    after = memory[id(statement)] if statement is not node else new
    return ast.unparse(after.test if isinstance(after, ast.If) else after), ast.unparse(broken)


class Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def survives(family, name, source):
    """Whether no oracle notices. Anything raised, a warning too, is noticed."""
    function = name.partition(":")[0]
    module = types.ModuleType(f"{family}_mutant")
    try:
        exec(compile(source, module.__name__, "exec"), vars(module))
        for oracle in ORACLES[family]:
            if function.startswith("_") or function in oracle.__code__.co_names:
                oracle(module)
    except (Exception, pytest.fail.Exception):
        return False
    return True


@pytest.mark.parametrize("family", ORACLES)
def test_no_broken_specification_passes(family):
    specification = importlib.import_module(f"minidl.kernels.{family}_numpy")
    named = dict(mutants(inspect.getsource(specification)))
    assert len(named) >= 4
    known = EQUIVALENT.get(family, {})
    survivors = {name for name, source in named.items() if survives(family, name, source)}
    excused = {name for name in survivors if any(fnmatchcase(name, glob) for glob in known)}
    assert survivors == excused
    assert all(any(fnmatchcase(name, glob) for name in excused) for glob in known)
