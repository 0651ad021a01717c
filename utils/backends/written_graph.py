"""A compiled function's graph as it was written, before any rewrite, as text.

Two programs that train in the same way have the same text: PyTensor's own print of the
outputs and updates, and all constants, for that print abbreviates large ones.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable

import numpy as np
from pytensor.compile.executor import Function
from pytensor.compile.mode import optdb
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable, clone
from pytensor.graph.op import HasInnerGraph
from pytensor.graph.rewriting.basic import graph_rewriter
from pytensor.graph.traversal import ancestors
from pytensor.printing import debugprint

TREE = " │├└─←"  # what PyTensor draws at the beginning of lines


@graph_rewriter
def keep_written(fgraph):
    """Keep a copy of a function's graph, as ``fgraph.written_outputs``."""
    _, fgraph.written_outputs = clone(fgraph.inputs, fgraph.outputs, False)


# The first of PyTensor's own is at -1.
optdb.register("keep_written", keep_written, "fast_run", "fast_compile", position=-2)


def written_graph(*functions: Function, data: Iterable[Variable] = ()) -> str:
    """Describe the graphs of compiled functions, as they were written; see `describe`.

    `data` are shared variables whose values are no part of the program; of others that
    the functions do not update, the text has the values. It is empty where a function
    was compiled in a mode that runs no rewrites, so that its graph was not kept.
    """
    texts = []
    for number, function in enumerate(functions, 1):
        fgraph = function.maker.fgraph
        if not hasattr(fgraph, "written_outputs"):
            return ""
        names = [
            f"output {i + 1} of function {number}" for i in range(len(fgraph.outputs))
        ]
        updated = {
            fgraph.inputs[i]: output for output, i in fgraph.update_mapping.items()
        }
        for variable, output in updated.items():
            names[output] = f"the update of {variable}"
        texts.append(describe(fgraph.written_outputs, names))
        known = {*updated, *data}
        for variable in fgraph.inputs:
            if isinstance(variable, SharedVariable) and variable not in known:
                texts.append(f"{variable}: {_value(variable.get_value(borrow=True))}")
    return "\n".join(texts)


def describe(outputs: list[Variable], names: Iterable[str]) -> str:
    """Describe a list of symbolic expressions by text.

    It has a line for each node, indented below what it is an operand of; those of an
    output begin with its name, of `names`. Then all constants.
    """
    text = debugprint(outputs, print_type=True, id_type="int", file="str")
    names = iter(names)
    lines = [
        f"{name}: {line}"
        if line[:1] not in TREE and (name := next(names, ""))
        else line
        for line in text.splitlines()
    ]
    constants = (f"  {_value(v.data)} {v.type}" for v in _constants(outputs))
    text = "\n".join([*lines, "constants:", *constants])
    # The address of a random generator is another in each process.
    return re.sub(" at 0x[0-9A-Fa-f]+", "", re.sub(f"[{TREE}]", " ", text))


def _constants(outputs):
    """Find each constant, those of inner graphs as well."""
    for variable in ancestors(outputs):
        if variable.owner and isinstance(variable.owner.op, HasInnerGraph):
            yield from _constants(variable.owner.op.inner_outputs)
        elif isinstance(variable, Constant):
            yield variable


def _value(data):
    """Describe a value by all of its digits."""
    if not isinstance(data, np.ndarray | np.generic):
        return str(data)
    if data.size == 1:
        return repr(data.item())
    digest = hashlib.sha256(np.ascontiguousarray(data)).hexdigest()
    return f"{data.shape} {digest[:16]}"


def first_difference(here: str, there: str) -> tuple[str, str, str] | None:
    """Find where two texts of `written_graph` or `describe` differ first.

    Returns the name of the output, and the operations there; None for equal texts.
    """
    name = ""
    for ours, theirs in itertools.zip_longest(here.splitlines(), there.splitlines()):
        if ours and ours[0] != " ":
            name, _, _ = ours.partition(":")
        if ours != theirs:
            return name, _operation(ours), _operation(theirs)
    return None


def _operation(line):
    """What a line says, without its place and number."""
    if line is None:
        return "nothing"
    return re.sub(r"^[^:]*: | \[id \d+\]", "", line).strip()
