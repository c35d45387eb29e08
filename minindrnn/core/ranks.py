"""Several processes, called ranks, that train one network: the parts of a batch, and sums over all ranks.

Letters   R ranks, B sequences of a batch, of which rank r takes those from r B / R to (r + 1) B / R, rounded down

Every rank holds the whole network. Sums over the sequences of a batch become sums over the ranks:
    batch statistics    in `ops.batchnorm`, forward and backward
    loss and gradients  in `training.step`, at the end of the backward pass
Nothing else is exchanged. A layer takes ranks as an argument, like lengths, and never asks which rank it is.

All sums add the ranks in their order, so that they have the same bits on every rank and from run to run. Alone, a sum
is the array itself. A rank without a sequence, where B < R, computes with the first one of the batch and adds zeros.
"""
import pickle
from contextlib import contextmanager

import numpy as np

from .expect import expect_count

LARGE = 1 << 16          # bytes; larger arrays are summed in R slices, a rank each, which moves 2 (R - 1) / R of their
                         # bytes instead of R - 1 times as many


class Ranks:
    """All ranks, seen from one of them.

    comm       what brings arrays from rank to rank: see `Alone`, and `core.mpi`
    sequences  B of the batch at hand, as from `of`; None outside of a batch

    rank, size   the number of this one, and R
    part         a slice: the sequences that this rank computes
    first        the number of the first of them in the batch
    """

    def __init__(self, comm, sequences=None):
        self.comm, self.rank, self.size, self.sequences = comm, comm.rank, comm.size, sequences
        self.first, self.part, self.counts = 0, slice(None), True
        if sequences is not None:
            expect_count("sequences", sequences)
            self.first, end = self._bounds(self.rank)
            self.counts = self.first < end                        # else these sequences are another rank's
            self.part = slice(self.first, end) if self.counts else slice(0, 1)

    def of(self, sequences):
        """The same ranks, with a batch of so many sequences."""
        return Ranks(self.comm, sequences)

    def sum(self, array):
        """The sum over all ranks of an array, or a number, of the same shape and dtype on each."""
        if self.size == 1:
            return array
        array = np.asarray(array)
        if array.nbytes <= LARGE:
            return self.gather(array).sum(axis=0)
        slices = np.zeros((self.size, -(-array.size // self.size)), array.dtype)
        if self.counts:
            slices.reshape(-1)[:array.size] = array.ravel()
        total = self.comm.exchange(slices).sum(axis=0)
        return self.comm.gather(total).reshape(-1)[:array.size].reshape(array.shape)

    def sum_in_place(self, arrays):
        """The sums over all ranks of some arrays of one dtype, each written over the array; one exchange."""
        if self.size == 1 or not arrays:
            return
        total, at = self.sum(np.concatenate([array.ravel() for array in arrays])), 0
        for array in arrays:
            array[...] = total[at:at + array.size].reshape(array.shape)
            at += array.size

    def weigh(self, n, value, gradient):
        """A mean over n numbers and its gradient  ->  this rank's share of the mean over those of all ranks, and of its
        gradient."""
        if self.size == 1:
            return value, gradient
        weight = n / float(self.sum(n))
        return weight * value, gradient * gradient.dtype.type(weight)

    def gather(self, array):
        """(R, ...): the array of each rank, zeros from one without a sequence."""
        return self.comm.gather(array if self.counts else np.zeros_like(array))

    def whole(self, array, axis=0):
        """The array of the whole batch, whose sequences lie along that axis, out of the parts of all ranks."""
        if self.size == 1:
            return array
        counts = [end - first for first, end in map(self._bounds, range(self.size))]
        own = np.moveaxis(array, axis, 0)[:counts[self.rank]]
        padded = np.zeros((max(counts), *own.shape[1:]), array.dtype)
        padded[:len(own)] = own
        parts = [part[:count] for part, count in zip(self.comm.gather(padded), counts)]
        return np.ascontiguousarray(np.moveaxis(np.concatenate(parts), 0, axis))

    def any(self, flag):
        """Whether it is true on some rank."""
        return bool(flag) if self.size == 1 else bool(self.comm.gather(np.array(bool(flag))).any())

    def broadcast(self, array):
        """Write the array of rank 0 over those of all others."""
        if self.size > 1:
            array[...] = self.comm.broadcast(np.asarray(array, order="C"))

    @contextmanager
    def together(self):
        """What is done within, without any exchange, fails on all ranks or on none: all raise the error of the first
        rank that has one."""
        error = None
        try:
            yield
        except Exception as caught:
            if self.size == 1:
                raise
            error = caught
        if self.size == 1:
            return
        said = np.frombuffer(b"" if error is None else _pickled(error), np.uint8)
        sizes = self.comm.gather(np.array(said.size))
        if sizes.any():
            padded = np.zeros(sizes.max(), np.uint8)
            padded[:said.size] = said
            failed = int(np.flatnonzero(sizes)[0])
            found = self.comm.gather(padded)[failed, :sizes[failed]]
            raise error if failed == self.rank else pickle.loads(found.tobytes())

    def in_turn(self, work):
        """work() on rank 0, then on all others, which find done what needs to be done but once. Its result."""
        with self.together():
            if self.rank == 0:
                result = work()
        with self.together():
            if self.rank > 0:
                result = work()
        return result

    def _bounds(self, rank):
        return rank * self.sequences // self.size, (rank + 1) * self.sequences // self.size


class Alone:
    """The exchange of a single process: one rank, nothing to send.

    gather     an array of the same shape on each rank  ->  (R, ...), that of each rank
    exchange   (R, n): row r goes to rank r  ->  (R, n): the row that came from each rank
    broadcast  ->  the array of rank 0
    """
    rank, size = 0, 1

    def gather(self, array):
        return np.asarray(array)[np.newaxis]

    def exchange(self, rows):
        return rows

    def broadcast(self, array):
        return array


ALONE = Ranks(Alone())


def _pickled(error):
    """An exception as bytes; one that cannot be pickled, or not be read again, as its words."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
