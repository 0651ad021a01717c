"""The lesson's pictures of graphs: they show what is written and compiled today."""

import re
import runpy
from collections import Counter
from types import SimpleNamespace

import pytest
from processes import REPOSITORY

pydot = pytest.importorskip("pydot", reason="needs the extra `graph`")

# Of pydot's own calls of pyparsing.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
DOCS = REPOSITORY / "docs"
INPUTS, RESULTS = ["W", "b", "x", "y"], ["cost", "g_W", "g_b"]


@pytest.fixture(scope="module")
def graphs():
    return SimpleNamespace(**runpy.run_path(str(DOCS / "graphs.py")))


@pytest.fixture(scope="module")
def sources(graphs):
    return graphs.sources()


def operations(graphs, source):
    (graph,) = pydot.graph_from_dot_data(source)
    return Counter(filter(None, map(graphs.operation, graph.get_nodes())))


def edges(graph):
    """Pairs of labels, where the edges of a readable graph begin and end."""
    words = {
        n.get_name(): n.get("label").strip('"')
        for n in graph.get_nodes()
        if n.get("label")
    }
    return [
        (words[e.get_source()], words[e.get_destination()]) for e in graph.get_edges()
    ]


def test_before_the_rewrite_the_operations_are_those_of_the_formula(graphs, sources):
    found = operations(graphs, sources["graph_written"])
    text = (DOCS / "lesson.md").read_text("utf-8")
    assert f"![{found.total()} operations, from" in text
    # Two products, x W and x.T delta; one softmax, one logarithm, one choice of
    # entries and its slope; sums over y, over the classes, over the rows.
    expected = {"Dot": 2, "Softmax": 1, "Log": 1, "Sum": 3, "MatrixTranspose": 1}
    expected |= {"AdvancedSubtensor": 1, "AdvancedIncSubtensor": 1}
    assert expected.items() <= found.items()
    paragraph = re.search(r"Read it from .*?\n\n", text, re.S)[0]
    drawn = {graphs.WORDS.get(name, name) for name in found}
    assert {*re.findall("`([^`]+)`", paragraph)} - {*RESULTS} <= drawn


def test_variables_lead_where_the_formula_says(graphs, sources):
    found = edges(graphs.readable(sources["graph_written"]))
    uses = {name: sorted(b for a, b in found if a == name) for name in INPUTS}
    assert uses == {
        "W": ["dot"],
        "b": ["expand"],
        "x": ["dot", "transpose"],
        "y": ["pick", "put", "shape"],
    }
    assert sorted(b for _, b in found if b in RESULTS) == RESULTS


def test_after_the_rewrite_there_is_one_operation(graphs, sources):
    fused = "SoftmaxRegressionLoss"
    assert operations(graphs, sources["graph_compiled"]) == {fused: 1}
    found = sorted(edges(graphs.readable(sources["graph_compiled"])))
    expected = [(name, fused) for name in INPUTS] + [(fused, name) for name in RESULTS]
    assert found == sorted(expected)


@pytest.mark.parametrize("name", ["graph_written", "graph_compiled"])
def test_pictures_are_of_today(graphs, sources, name):
    """A change of a graph asks for `make pictures`."""
    picture = (DOCS / f"{name}.svg").read_text("utf-8")
    labels = [n.get("label") for n in graphs.readable(sources[name]).get_nodes()]
    words = Counter(label.strip('"') for label in labels if label)
    assert Counter(re.findall("<text[^>]*>([^<]+)</text>", picture)) == words
    # On GitHub's dark pages as well, and at the width of a page.
    assert '<polygon fill="white"' in picture
    assert float(re.search(r'<svg width="(\d+)pt"', picture)[1]) < 600  # 800 pixels
