"""Draw the graphs of the lesson's section 9: the loss and its gradients, rewritten.

PyTensor's own printer gives them; labels and colours are for readers who see such a
graph for the first time. Needs `pip install '.[graph]'` and Graphviz's program `dot`.
"""

import re
import tempfile
from pathlib import Path

import pydot
import pytensor
import pytensor.tensor as T
from pytensor.graph.traversal import ancestors
from pytensor.printing import pydotprint

from logistic_sgd import LogisticRegression
from utils import backends

DOCS = Path(__file__).resolve().parent
RESULTS = "cost", "g_W", "g_b"

# Short words for PyTensor's operations; others keep their names.
WORDS = {
    "Add": "+",
    "Sub": "−",
    "Mul": "×",
    "True_div": "÷",
    "Neg": "negate",
    "Dot": "dot",
    "MatrixTranspose": "transpose",
    "Softmax": "softmax",
    "Log": "log",
    "Sum": "sum",
    "AdvancedSubtensor": "pick",
    "AdvancedIncSubtensor": "put",
}
# Operations that only bring shapes and types together: they are drawn in grey.
GREY_WORDS = {
    "ARange": "0, 1, 2, …",
    "Cast": "to float",
    "ExpandDims": "expand",
    "Second": "fill",
    "Shape": "shape",
    "SpecifyShape": "has shape",
    "Squeeze": "squeeze",
    "Subtensor": "first",
}
BLUE = {"style": '"rounded,filled"', "fillcolor": "#d6e4f5", "color": "#4a78b0"}
GREY = {"style": '"rounded,filled"', "fillcolor": "gray95", "color": "gray75"}
YELLOW = {"style": "filled", "fillcolor": "#fff2b3"}
GREEN = {"style": "filled", "fillcolor": "#cfe8cf"}


def sources():
    """PyTensor's DOT texts of the graph as it was written and as it is compiled."""
    x, y = T.dmatrix("x"), T.ivector("y")
    classifier = LogisticRegression(input=x, n_in=784, n_out=10)
    cost = classifier.negative_log_likelihood(y)
    written = [cost, *T.grad(cost, [classifier.W, classifier.b])]
    for variable in ancestors(written):
        if variable.owner:
            variable.name = None  # some have one, and would be boxes of their own
    mode = backends.compilation_mode()
    compiled = pytensor.function([x, y], written, mode=mode)
    for results in written, compiled.maker.fgraph.outputs:
        for variable, name in zip(results, RESULTS, strict=True):
            variable.name = name
    return {"graph_written": _dot(written), "graph_compiled": _dot(compiled)}


def _dot(printable):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.raw")
        options = {"var_with_name_simple": True, "print_output_file": False}
        pydotprint(printable, path, format="raw", **options)
        return path.read_text("utf-8")


def operation(node):
    """PyTensor's name of a node's operation; None where the node is a variable."""
    if node.get("shape") == "ellipse":
        return re.match(r'"?(\w+)', node.get("label"))[1]
    return None


def readable(source):
    """A pydot graph of the same operations as a DOT text, without its constants."""
    (found,) = pydot.graph_from_dot_data(source)
    graph = pydot.Dot(bgcolor="white", nodesep=0.12, ranksep=0.22)
    font = {"fontname": '"Helvetica,Arial,sans-serif"', "fontsize": 16}
    size = {"width": 0.5, "height": 0.3, "margin": '"0.08,0.03"'}
    graph.set_node_defaults(shape="box", **size, **font)
    graph.set_edge_defaults(arrowsize=0.6, color="gray35")
    names = {}  # PyTensor's are addresses in memory, others in each run
    for node in found.get_nodes():
        label, name = (node.get("label") or "").strip('"'), operation(node)
        if node.get_name() in names or not label or label.startswith("val="):
            continue  # a variable is there once for each use
        if name in GREY_WORDS:
            label, style = GREY_WORDS[name], GREY
        elif name:
            label, style = WORDS.get(name, name), BLUE
        else:
            style = GREEN if label in RESULTS else YELLOW
        names[node.get_name()] = f"n{len(names)}"
        graph.add_node(pydot.Node(names[node.get_name()], label=f'"{label}"', **style))
    for edge in found.get_edges():
        if edge.get_source() in names:
            graph.add_edge(
                pydot.Edge(names[edge.get_source()], names[edge.get_destination()])
            )
    return graph


def main():
    for name, source in sources().items():
        readable(source).write(DOCS / f"{name}.svg", prog="dot", format="svg")


if __name__ == "__main__":
    main()
