"""What is drawn is what was counted: every curve, bar, cell and line, read back from the picture."""
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minindrnn import StackedIndRNN
from minindrnn.cli import plots

pytestmark = pytest.mark.tutorial8


@pytest.fixture
def drawn(monkeypatch):
    return caught(monkeypatch)


def caught(monkeypatch):
    """The figures that are drawn, in a list; nothing is written."""
    figures = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: figures.append(figure))
    return figures


ROWS = [dict(update=10, loss=3.0, validation_loss=2.0, validation_accuracy=0.25, seconds=1.0),
        dict(update=20, loss=2.0, validation_loss=0.5, validation_accuracy=0.75, seconds=2.0)]


def test_a_curve_has_a_point_for_each_evaluation(drawn):
    plots.draw_curve(ROWS, "path")
    losses, accuracies = drawn[0].axes
    found = {line.get_label(): line.get_xydata().tolist() for axes in (losses, accuracies) for line in axes.lines}
    assert found == {"training loss": [[10, 3], [20, 2]], "validation loss": [[10, 2], [20, 0.5]],
                     "validation accuracy": [[10, 0.25], [20, 0.75]]}
    assert (losses.get_yscale(), accuracies.get_yscale()) == ("log", "linear") and len(losses.lines) == 2
    assert [axes.get_ylabel() for axes in (losses, accuracies)] == ["loss", "accuracy"]
    assert [line.get_color() for line in losses.lines] == ["#006BA4", "#C85200"]


def test_memory_is_drawn_by_the_number_of_neurons(drawn):
    """Thirty bins up to 1: bars of positive u, and of negative u on top of them."""
    after = {"0.u": np.array([0.05, 0.05, -0.05, 1.0, -1.0, 1.0]), "1.u": np.full(4, 0.5)}
    before = {"0.u": np.array([0.05] * 5 + [1.0]), "1.u": np.full(4, 1.0)}
    plots.draw_memory(before, after, 1.0, "path")
    first, second = drawn[0].axes
    heights = [[(round(bar.get_x(), 3), bar.get_height()) for bar in bars if bar.get_height()]
               for bars in first.containers]
    assert heights == [[(0.033, 2.0), (0.967, 2.0)], [(0.033, 1.0), (0.967, 1.0)]]
    assert first.patches[-1].get_data().values.tolist() == [0, 5] + [0] * 27 + [1]
    assert second.patches[-1].get_data().values.tolist() == [0] * 29 + [4]
    assert [axes.get_title() for axes in (first, second)] == ["layer 1: 0.u", "layer 2: 1.u"]


def test_memory_is_told_in_quartiles():
    """Half-lives of 0.5, 0.9, 0.99: 1, 6.6 and 69 steps."""
    network = StackedIndRNN(1, 5, 1, 1, None, length=100)
    network.layers[0].parameters["u"].value = np.array([0.0, 0.5, -0.9, 0.99, 1.0], np.float32)
    first, second = plots.describe_memory(network, 1.00696)
    assert first == "memory: recurrent weights, bounded by |u| <= 1.006960; half-life in steps"
    assert second.split() == "0.u |u| 0.000 to 1.000, 20% negative; half-life, quartiles 1.0, 6.6, 69.0".split()
    assert list(plots.describe_memory(network, None)) == []


def test_confusion_is_drawn_with_the_true_class_in_its_row(drawn):
    plots.draw_confusion(np.array([[3, 1], [0, 2]]), ["cat", "dog"], "path")
    axes = drawn[0].axes[0]
    assert_array_equal(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "3", (1, 0): "1", (1, 1): "2"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")


def test_the_figure_of_the_adding_problem_draws_every_run(drawn, tmp_path):
    for name, mse in (("adding-100-indrnn-seed0", 0.25), ("adding-100-lstm-seed0", 0.125),
                      ("adding-500-indrnn-seed3", 0.5)):
        (tmp_path / name).mkdir()
        rows = [dict(update=step, loss=9.0, test_mse=mse / step, seconds=1.0) for step in (1, 2)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plots.draw_adding(tmp_path, "path")
    panels = drawn[0].axes
    found = [{line.get_color(): line.get_xydata().tolist() for line in axes.lines if line.get_color() != "gray"}
             for axes in panels]
    assert found == [{"C0": [[1, 0.25], [2, 0.125]], "C1": [[1, 0.125], [2, 0.0625]]}, {"C0": [[1, 0.5], [2, 0.25]]}]
    assert [axes.get_title() for axes in panels] == ["T = 100", "T = 500"]
    assert all(line.get_ydata()[0] == pytest.approx(1 / 6) for axes in panels for line in axes.lines
               if line.get_color() == "gray")


def test_gradients_are_drawn_layer_by_layer(drawn):
    norms = np.array([[1e-20, 1.0, 10.0], [1e-3, 1e-2, 1e-1]])
    plots.draw_gradients({"mine": norms}, "path")
    image = drawn[0].axes[0].images[0]
    assert_array_equal(image.get_array(), [[1e-12, 1.0, 10.0], [1e-3, 1e-2, 1e-1]])
    assert image.origin == "lower" and tuple(image.get_extent()) == (0, 3, 0.5, 2.5)
