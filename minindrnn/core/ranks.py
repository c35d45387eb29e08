"""Several processes, called ranks, that train one network: the parts of a batch, and sums over all ranks.

Letters   R ranks, B sequences of a batch; rank r takes those from r B / R to (r + 1) B / R, rounded down

Every rank holds the whole network. Every sum over the sequences of a batch is also a sum over the ranks:
    batch statistics    in `ops.batchnorm`, forward and backward
    loss and gradients  in `training.step`, at the end of the backward pass
Ranks exchange nothing else. A layer receives its ranks as it receives the lengths, and never asks which rank it is.

All sums add the ranks in order, so they have the same bits on every rank and in every run. With one rank, a sum is the
array itself. If B < R, a rank without a sequence computes with the first one of the batch and adds zeros.
"""
import pickle
from contextlib import contextmanager

import numpy as np

from .expect import expect_count

LARGE = 1 << 16          # bytes; larger arrays are summed in R slices, one per rank, which moves 2 (R - 1) / R times
                         # their bytes instead of R - 1 times


class Ranks:
    """All ranks, seen from one of them.

    comm       moves arrays from rank to rank: see `Alone` and `core.mpi`
    sequences  B of the current batch, as from `of`; None outside of a batch

    rank, size   the number of this rank, and R
    part         a slice: the sequences that this rank computes
    first        the index of the first of them in the batch
    """

    def __init__(self, comm, sequences=None):
        self.comm, self.rank, self.size, self.sequences = comm, comm.rank, comm.size, sequences
        self.first, self.part, self.counts = 0, slice(None), True
        if sequences is not None:
            expect_count("sequences", sequences)
            self.first, end = self._bounds(self.rank)
            self.counts = self.first < end                        # else they belong to another rank
            self.part = slice(self.first, end) if self.counts else slice(0, 1)

    def of(self, sequences):
        """The same ranks for a batch of so many sequences."""
        return Ranks(self.comm, sequences)

    def sum(self, array):
        """The sum over all ranks of an array or a number, which has the same shape and dtype on each."""
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
        """Replace arrays of one dtype by their sums over all ranks, in one exchange."""
        if self.size == 1 or not arrays:
            return
        total, at = self.sum(np.concatenate([array.ravel() for array in arrays])), 0
        for array in arrays:
            array[...] = total[at:at + array.size].reshape(array.shape)
            at += array.size

    def weigh(self, n, value, gradient):
        """A mean over n numbers and its gradient  ->  this rank's share of the mean over all ranks and of
        its gradient."""
        if self.size == 1:
            return value, gradient
        weight = n / float(self.sum(n))
        return weight * value, gradient * gradient.dtype.type(weight)

    def gather(self, array):
        """(R, ...): the array of each rank; zeros for a rank without a sequence."""
        return self.comm.gather(array if self.counts else np.zeros_like(array))

    def whole(self, array, axis=0):
        """The array of the whole batch from the parts of all ranks; its sequences lie along that axis."""
        if self.size == 1:
            return array
        counts = [end - first for first, end in map(self._bounds, range(self.size))]
        own = np.moveaxis(array, axis, 0)[:counts[self.rank]]
        padded = np.zeros((max(counts), *own.shape[1:]), array.dtype)
        padded[:len(own)] = own
        parts = [part[:count] for part, count in zip(self.comm.gather(padded), counts)]
        return np.ascontiguousarray(np.moveaxis(np.concatenate(parts), 0, axis))

    def any(self, flag):
        """Whether the flag is true on any rank."""
        return bool(flag) if self.size == 1 else bool(self.comm.gather(np.array(bool(flag))).any())

    def broadcast(self, array):
        """Write the array of rank 0 over the arrays of all others."""
        if self.size > 1:
            array[...] = self.comm.broadcast(np.asarray(array, order="C"))

    @contextmanager
    def together(self):
        """Work within this context, without any exchange, fails on all ranks or on none: all raise the error of the
        first rank that has one."""
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
        """Run work() on rank 0, then on all others, which can use what rank 0 has prepared. Returns its result."""
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
    """The exchanges of a single process, with R = 1.

    gather     an array of the same shape on each rank  ->  (R, ...), the arrays of all ranks
    exchange   (R, n): row r goes to rank r  ->  (R, n): the rows received from all ranks
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
    """An exception as bytes; its type and message only, if it cannot be pickled or unpickled."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
