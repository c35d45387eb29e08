"""Language modelling by characters: after each one, what comes next? Measured in bits per character.

Training reads B places of the text at once, in segments of T steps; the states go on from segment to segment, but no
gradient does (truncated backpropagation through time), and now and then everything starts anew, so that the networks,
and batch normalisation, whose statistics are per step, also know beginnings. Source: arXiv 1910.06251, section 5, and
the authors' code; there the plain network has layers of 2000.
"""
import math
import sys

import numpy as np
from scipy.special import softmax
from tqdm import tqdm

from ..core.terminal import Tolerant
from ..data.download import DataError
from ..data.text import load_text, plain
from ..networks.combinators import Chain
from ..networks.language_model import LanguageModel
from ..networks.papers import BOUND, DENSE_TEXT_W, per_step
from ..ops.linear import scaled
from ..ops.losses import cross_entropy
from ..training.dynamic_evaluation import evaluate_dynamically, mean_squares
from .models import MODELS, layers_for_text
from .settings import BATCH
from .task import Task, fingerprint

BEGIN = -0.5, 0.5        # where u starts: the last few characters matter most, and long memories in all of many layers
                         # leave nothing of them
SHORT = 0.01             # what U of IRNN starts at, times the identity, as in arXiv 1504.00941 where memories may be
                         # short: at 1, what goes on for ever grows for ever
ANEW = 0.1               # probability that a segment starts from nothing
STREAMS = 50             # places from which a text is read in an evaluation; fewer, if they were not 10 segments apart
FIRST = 500              # dynamic evaluation: segments that the squares of gradients, and then the rate, are taken from
SLOWEST, DECAY = 5e-5, 0.002        # its lowest rate, and how strongly it draws back


class Characters(Task):
    """Say which character comes next."""

    name = word = "chars"
    help = "say which character of a text comes next"
    takes = {"train": {"length", "data"}, "predict": {"sample", "temperature", "seed"}, "report": {"dynamic"}}
    refuses = {"gamma": f": there |u| is at most {BOUND}, as the states go on for ever"}
    length, loss = 50, staticmethod(cross_entropy)
    metric, larger, factor = "validation_bits", False, 0.2
    usual = dict(updates=4000, batch=64, rate=5e-3, gamma=0.0)                 # BOUND stands for gamma
    of_indrnn = dict(layers=6, hidden=384, norm="before")
    of_baseline = dict(layers=1, hidden=384)
    of_model = {"residual": dict(layers=10, hidden=192), "dense": dict(layers=[8, 6, 4], hidden=24),
                "irnn": dict(rate=5e-4)}

    def __init__(self, settings, seen=None):
        """seen   what a run has seen, to use what it learned; without it the text is loaded."""
        self.settings, self.T = settings, settings.length
        self.seen = self.load() if seen is None else seen
        self.symbols = self.seen["symbols"]

    def load(self):
        """Read the text; what a run has to know of it. DataError if it is too short for one batch."""
        s = self.settings
        self.parts, symbols = load_text(s.data or None)
        shortest, lengths = s.batch * self.T + 1, [len(part) for part in self.parts.values()]
        if lengths[0] < shortest or min(lengths) < 2:
            raise DataError(f"{s.data or 'Shakespeare'}: too short: for batches of {s.batch} x {self.T} expected "
                            f"{shortest} characters for training, and two each for validation and test, got {lengths}; "
                            "try a smaller --batch or --length")
        self.segments = max(1, (lengths[0] - 1) // shortest)
        return {"symbols": symbols, "text": fingerprint(*self.parts.values())}

    def network(self, rng):
        s, baseline = self.settings, MODELS[self.settings.model].baseline
        layers, channels = layers_for_text(s, rng, W=scaled() if baseline else DENSE_TEXT_W, u=BEGIN, u_last=BEGIN,
                                           norm_options=per_step(self.T))
        for layer in layers if s.model == "irnn" else ():
            layer["U"][...] *= SHORT
        return LanguageModel(len(self.symbols), channels, Chain(layers), rng, bound=None if baseline else BOUND,
                             width=0.05)

    def every(self):
        return max(1, self.settings.updates // 30)

    def starts(self, update):
        """How many characters before this segment its states have seen: 0 to start from nothing."""
        epoch, place = divmod(update, self.segments)
        anew = np.random.default_rng([self.settings.seed, BATCH, epoch, 1]).random(self.segments) < ANEW
        anew[0] = True
        return int(place - np.flatnonzero(anew[:place + 1])[-1]) * self.T

    def batch(self, update):
        """tokens (T, B), those one further on. Each epoch cuts the text into B streams from another place on."""
        s, text = self.settings, self.parts["train"]
        epoch, place = divmod(update, self.segments)
        span = self.segments * self.T
        first = np.random.default_rng([s.seed, BATCH, epoch]).integers(len(text) - span * s.batch)
        streams = np.arange(s.batch)[self.ranks.of(s.batch).part]
        at = first + span * streams + place * self.T + np.arange(self.T + 1)[:, np.newaxis]
        tokens = text[at]
        return tokens[:-1], tokens[1:], None

    def evaluate(self, network, statistics="running", part="validation"):
        """Bits per character over the whole part, each character but the first said once."""
        text = self.parts[part]
        streams = min(STREAMS, max(1, len(text) // (10 * self.T)))
        span, ranks = -(-(len(text) - 1) // streams), self.ranks.of(streams)
        at = span * np.arange(streams)[ranks.part] + np.arange(span)[:, np.newaxis]
        tokens = text[np.minimum(at, len(text) - 2)]
        target = np.where(at < len(text) - 1, text[np.minimum(at + 1, len(text) - 1)], -1)
        state, nats = None, 0.0
        for start in range(0, span, self.T):
            y, cache = network.forward(tokens[start:start + self.T], state, statistics=statistics, start=start,
                                       ranks=ranks)
            state, piece = network.last_state(cache), target[start:start + self.T]
            if (piece >= 0).any():
                nats += cross_entropy(y, piece)[0] * np.count_nonzero(piece >= 0)
        return {f"{part}_bits": float(ranks.sum(nats) / math.log(2) / (len(text) - 1))}

    def evaluate_dynamically(self, network):
        """{"test_bits", "rate"}: the same for the test part, read in one piece by a network that goes on learning (see
        `dynamic`), and the rate at which it does: doubled for as long as that helps where the validation part begins,
        then halved for as long as the network, over all of that part, falls behind one that knows nothing.
        """
        def bits(part, rate, count=None):
            pieces = self.segments_of(part, count)
            asked = tqdm(pieces, f"{part}, rate {rate:g}", leave=False, dynamic_ncols=True, file=Tolerant(sys.stderr))
            nats = evaluate_dynamically(network, cross_entropy, asked, squares, rate=rate, decay=DECAY)
            return float(np.average(nats, weights=[len(x) for x, _ in pieces]) / math.log(2))

        squares = mean_squares(network, cross_entropy, self.segments_of("train", FIRST))
        rate, best = SLOWEST, bits("validation", SLOWEST, FIRST)
        while (faster := bits("validation", 2 * rate, FIRST)) < best:
            rate, best = 2 * rate, faster
        while rate > SLOWEST and not bits("validation", rate) < math.log2(len(self.symbols)):          # NaN is behind
            rate /= 2
        return {"test_bits": bits("test", rate), "rate": rate}

    def segments_of(self, part, count=None):
        """The first so many segments of a part of the text, or all: tokens (T, 1), those one further on."""
        tokens, target = self.parts[part][:-1, np.newaxis], self.parts[part][1:, np.newaxis]
        return [(tokens[start:start + self.T], target[start:start + self.T])
                for start in range(0, len(tokens), self.T)[:count]]

    def result(self, network):
        """{name: number} for result.json. Of batch normalisation only the running averages: a text has no batch."""
        return self.evaluate(network, part="test")

    def report(self, network, result):
        """Lines that tell what was learned; result as for result.json."""
        yield f"test {result['test_bits']:.3f} bits a character over {len(self.parts['test'])} characters"
        yield from self.samples(network)

    def samples(self, network):
        """Lines of what the network says when it starts from nothing."""
        yield "what it says when it starts from nothing:"
        first = "\n" if "\n" in self.symbols else self.symbols[0]
        try:
            said = self.sample(network, first, 400, 0.7, np.random.default_rng(self.settings.seed))
        except DataError as error:
            said = str(error)
        yield from (f"  | {line}" for line in said.split("\n"))

    def predict(self, network, text, sample=400, temperature=0.7, seed=0):
        """Lines of the text, read as in training, and what the network has to add to it: see `sample`."""
        text = plain(text)
        yield from (text + self.sample(network, text, sample, temperature, np.random.default_rng(seed))).split("\n")

    def sample(self, network, text, count, temperature, rng):
        """So many characters that go on from the text, each drawn from softmax(y / temperature).

        DataError for a character that is not in the text of the run, and if the network has diverged.
        """
        code = {symbol: token for token, symbol in enumerate(self.symbols)}
        unknown = [symbol for symbol in text if symbol not in code]
        if unknown or not text:
            raise DataError(f"expected characters of the text of the run, got {unknown[0]!r}" if unknown else
                            "expected at least one character to go on from, got none")
        state, said, t = None, [], 0
        for token in [code[symbol] for symbol in text]:
            y, state = network.step(np.array([token]), state, start=t)
            t += 1
        while len(said) < count:
            if not np.isfinite(y).all():
                raise DataError(f"expected finite numbers from the network, got {y[~np.isfinite(y)][0]} after {t} "
                                "characters: it has diverged")
            p = softmax(y[0].astype(np.float64) / temperature)
            said.append(self.symbols[rng.choice(len(p), p=p / p.sum())])
            y, state = network.step(np.array([code[said[-1]]]), state, start=t)
            t += 1
        return "".join(said)
