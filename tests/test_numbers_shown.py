"""What is printed and drawn is what was counted: every curve, bar, cell and line, read back from the picture."""
import io
import json
import math
from contextlib import redirect_stdout

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import Chain, Linear, StackedIndRNN
from minindrnn.checks.gradient_flow import gradient_norms
from minindrnn.cli import plots
from minindrnn.cli.commands import main
from minindrnn.core.ranks import ALONE
from minindrnn.data.adding import adding_problem
from minindrnn.tasks.classification import Classification
from minindrnn.tasks.registry import TASKS, settings


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
    heights = [[(round(bar.get_x(), 3), bar.get_height()) for bar in bars if bar.get_height()] for bars in first.containers]
    assert heights == [[(0.033, 2.0), (0.967, 2.0)], [(0.033, 1.0), (0.967, 1.0)]]
    assert first.patches[-1].get_data().values.tolist() == [0, 5] + [0] * 27 + [1]
    assert second.patches[-1].get_data().values.tolist() == [0] * 29 + [4]
    assert [axes.get_title() for axes in (first, second)] == ["layer 1: 0.u", "layer 2: 1.u"]


def test_confusion_is_drawn_with_the_true_class_in_its_row(drawn):
    plots.draw_confusion(np.array([[3, 1], [0, 2]]), ["cat", "dog"], "path")
    axes = drawn[0].axes[0]
    assert_array_equal(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "3", (1, 0): "1", (1, 1): "2"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")


def test_the_figure_of_the_adding_problem_draws_every_run(drawn, tmp_path):
    for name, mse in (("adding-100-indrnn-seed0", 0.25), ("adding-100-lstm-seed0", 0.125), ("adding-500-indrnn-seed3", 0.5)):
        (tmp_path / name).mkdir()
        rows = [dict(update=step, loss=9.0, test_mse=mse / step, seconds=1.0) for step in (1, 2)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plots.draw_adding(tmp_path, "path")
    panels = drawn[0].axes
    found = [{line.get_color(): line.get_xydata().tolist() for line in axes.lines if line.get_color() != "gray"} for axes in panels]
    assert found == [{"C0": [[1, 0.25], [2, 0.125]], "C1": [[1, 0.125], [2, 0.0625]]}, {"C0": [[1, 0.5], [2, 0.25]]}]
    assert [axes.get_title() for axes in panels] == ["T = 100", "T = 500"]
    assert all(line.get_ydata()[0] == pytest.approx(1 / 6) for axes in panels for line in axes.lines if line.get_color() == "gray")


def test_gradients_are_drawn_layer_by_layer(drawn):
    norms = np.array([[1e-20, 1.0, 10.0], [1e-3, 1e-2, 1e-1]])
    plots.draw_gradients({"mine": norms}, "path")
    image = drawn[0].axes[0].images[0]
    assert_array_equal(image.get_array(), [[1e-12, 1.0, 10.0], [1e-3, 1e-2, 1e-1]])
    assert image.origin == "lower" and tuple(image.get_extent()) == (0, 3, 0.5, 2.5)


def test_memory_is_told_in_quartiles():
    """Half-lives of 0.5, 0.9, 0.99: 1, 6.6 and 69 steps."""
    network = StackedIndRNN(1, 5, 1, 1, None, length=100)
    network.layers[0].parameters["u"].value = np.array([0.0, 0.5, -0.9, 0.99, 1.0], np.float32)
    first, second = plots.describe_memory(network, 1.00696)
    assert first == "memory: recurrent weights, bounded by |u| <= 1.006960; half-life in steps"
    assert second.split() == "0.u |u| 0.000 to 1.000, 20% negative; half-life, quartiles 1.0, 6.6, 69.0".split()
    assert list(plots.describe_memory(network, None)) == []


def test_norms_of_gradients_are_those_of_the_chain_rule(rng):
    """Of linear maps: dL/dx is dL/dy times the matrices behind, at each step by itself."""
    network = Chain([Linear(3, 4, rng, dtype=np.float64), Linear(4, 2, rng, dtype=np.float64)])
    x = rng.normal(size=(5, 6, 3))
    norms = gradient_norms(network, x, np.random.default_rng(1))
    dy = np.random.default_rng(1).normal(size=(5, 6, 2))
    dy /= np.sqrt((dy**2).sum())
    first, second = (layer["W"] for layer in network.layers)
    wanted = [[math.sqrt((dx[t]**2).sum()) for t in range(5)] for dx in (dy @ second @ first, dy @ second)]
    assert_allclose(norms, wanted, rtol=1e-12)


class Scripted:
    """Gives these answers, in turn."""
    bound = None

    def __init__(self, answers):
        self.answers, self.asked = answers, 0

    def forward(self, x, lengths=None, statistics="running", ranks=ALONE):
        y = self.answers[self.asked:self.asked + x.shape[1]]
        self.asked += x.shape[1]
        return y, None


def test_predictions_are_the_likeliest_class_with_its_probability(tmp_path):
    task = Classification(settings("own"), {"T": 3, "M": 2, "K": 3})
    np.savez(tmp_path / "in.npz", X=np.ones((3, 3, 2)), y=np.array([2, 0, 1]))
    y = np.log([[0.2, 0.1, 0.7], [0.05, 0.9, 0.05], [0.25, 0.5, 0.25]])
    *lines, last = task.predict(Scripted(y), tmp_path / "in.npz")
    assert [line.split() for line in lines] == [["0", "2", "70.0%"], ["1", "1", "90.0%", "wrong:", "0"], ["2", "1", "50.0%"]]
    assert last == "accuracy 66.67% (2 of 3)"


def test_sums_are_answered_beside_what_they_are(tmp_path):
    task = TASKS["adding"](settings("adding", length=6, seed=2))
    np.savez(tmp_path / "in.npz", X=np.ones((2, 6, 2)), y=np.array([1.0, 2.0]))
    lines = list(task.predict(Scripted(np.float32([[1.5], [1.75]])), tmp_path / "in.npz"))
    assert [line.split() for line in lines] == [["0", "1.5000"], ["1", "1.7500"], ["mean", "squared", "error", "0.15625"]]
    first, *lines = task.report(Scripted(np.float32([[0.5], [1.0], [2.0]])), {"test_mse": 0.125})
    assert first.startswith("test mean squared error 0.12500 over 1000 sequences of 6 steps")
    for line, answer in zip(lines, ("0.500", "1.000", "2.000"), strict=True):
        terms, said = line.split(", answered ")
        sums, total = terms.split(" = ")
        marked = [float(term.split()[0]) for term in sums.split(" + ")]
        assert said == answer and len(marked) == 2 and sum(marked) == pytest.approx(float(total), abs=2e-3)


class FirstStep:
    """Answers with the first number of each sequence's last step; a step after its end is not read."""
    bound = None

    def forward(self, x, lengths=None, statistics="running", ranks=ALONE):
        return x[lengths - 1, np.arange(x.shape[1]), :1], None


def test_sums_of_any_length_are_read_to_their_end(tmp_path):
    """In two pieces, as 40 000 steps make one of two sequences."""
    X, lengths = np.zeros((3, 40_000, 2), np.float32), np.array([2, 40_000, 5])
    X[np.arange(3), lengths - 1, 0] = [0.25, 0.5, 0.75]
    np.savez(tmp_path / "in.npz", X=X, lengths=lengths)
    lines = TASKS["adding"](settings("adding", length=6)).predict(FirstStep(), tmp_path / "in.npz")
    assert [line.split() for line in lines] == [["0", "0.2500"], ["1", "0.5000"], ["2", "0.7500"]]


def test_gradients_are_those_of_the_seed_at_the_last_and_the_first(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("minindrnn.cli.commands.deep_networks", lambda T, rng: {"mine": StackedIndRNN(2, 3, 2, 1, rng, length=T)})
    monkeypatch.setattr("minindrnn.cli.commands.draw", lambda picture, norms, path: drawn.append(norms["mine"]))
    with redirect_stdout(io.StringIO()) as said:
        assert main(["gradients", "--length", "5", "--seed", "3", "--out", str(tmp_path / "g.png")]) == 0
    rng = np.random.default_rng(3)
    x, _ = adding_problem(5, 32, rng)
    norms = gradient_norms(StackedIndRNN(2, 3, 2, 1, rng, length=5), x, rng)
    assert_array_equal(drawn, [norms[:2]])
    wanted = f"mine at the last layer and step {norms[1, 4]:.1e}, at the first of both {norms[0, 0]:.1e}"
    assert said.getvalue().split() == wanted.split() and norms[1, 0] != norms[0, 0]


@pytest.mark.parametrize("words, draws", [([], 100), (["--draws", "2"], 2)])
def test_gradients_are_checked_on_so_many_problems_of_the_seed(words, draws, monkeypatch):
    asked = []
    monkeypatch.setattr("minindrnn.cli.commands.PROBLEMS", {"mine": (None, lambda module, rng: rng.random())})
    monkeypatch.setattr("minindrnn.cli.commands.check", lambda problem, rng: asked.append(problem) or {"x": 1e-9 * (len(asked) == 2)})
    with redirect_stdout(io.StringIO()) as said:
        assert main(["gradcheck", "--seed", "5", *words]) == 0
    assert asked == [np.random.default_rng([5, draw]).random() for draw in range(draws)]
    assert said.getvalue().splitlines()[1].split() == ["mine", "1.0e-09", "dx,", "draw", "1"]
