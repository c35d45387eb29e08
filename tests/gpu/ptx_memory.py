"""The memory of a GPU as ptx.py sees it: for every byte it is known who has touched it.

Arrays lie one behind the other with unused red zones between them. A byte belongs to an array or not, was ever written
or not, and keeps who read and who wrote it, twice: which threads since the last barrier of their block, and which
blocks since the kernel began, as nothing puts two blocks in an order. So an access stops the program that is out of
bounds or misaligned, reads what nobody has written, or touches what another thread touches between the same two
barriers, one of the two writing: a data race.
"""
import numpy as np

RED = 256                           # bytes between arrays
NOBODY, MANY = -1, -2               # as the number of a thread or a block


class PTXError(Exception):
    """What a GPU would do wrong in silence: the message names kernel, instruction and thread."""


class Memory:
    def __init__(self, arrays, unwritten=(), base=1 << 20):
        """arrays: {name: NumPy array in contiguous memory}; unwritten: names of those whose content does not count;
        base: the address of the first byte."""
        self.base, self.places, end = base, {}, RED
        for name, array in arrays.items():
            self.places[name] = slice(end, end + array.nbytes)
            end += -(-array.nbytes // RED) * RED + RED
        self.bytes = np.zeros(end, np.uint8)
        self.inside, self.written = np.zeros((2, end), bool)
        self.reader, self.writer = np.full((2, 2, end), NOBODY)        # rows: threads since the barrier, blocks
        for name, place in self.places.items():
            self.bytes[place] = np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8)
            self.inside[place], self.written[place] = True, name not in unwritten

    def address(self, name):
        return self.base + self.places[name].start

    def barrier(self):
        """What the threads of a block did before is over for them; not for other blocks."""
        self.reader[0], self.writer[0] = NOBODY, NOBODY

    def touch(self, address, kind, thread, block, write, where):
        """Indices of the addresses (n,) in the memory seen as an array of this type, for accesses of these threads
        (n,) of one block. Raises PTXError."""
        def expect(good, complaint):                           # good (..., n, bytes)
            if not good.all():
                i = np.argmin(good.reshape(-1, *good.shape[-2:]).all(axis=(0, 2)))
                name, place = min(self.places.items(), key=lambda item: abs(2 * at[i] - item[1].start - item[1].stop))
                raise PTXError(f"{where}: {complaint}, {at[i] - place.start} bytes from the start of {name}, "
                               f"in thread {thread[i]}")

        size, at = np.dtype(kind).itemsize, address - self.base
        expect(at[:, None] % size == 0, "misaligned")
        cells = at[:, None] + np.arange(size)
        expect((cells >= 0) & self.inside.take(cells, mode="clip"), "out of bounds")
        me = np.array([thread, np.full_like(thread, block)])[:, :, None]
        reader, writer = self.reader[:, cells], self.writer[:, cells]
        expect((writer == me) | (writer == NOBODY), "data race with a thread that wrote")
        if write:
            expect((reader == me) | (reader == NOBODY), "data race with a thread that read")
            self.written[cells], self.writer[:, cells] = True, me
            expect(self.writer[:, cells] == me, "data race with a thread that writes now")
        else:
            expect(self.written[cells], "reads what was never written")
            self.reader[:, cells] = me                         # one of them where several read the same
            several = (self.reader[:, cells] != me) | (reader != me) & (reader != NOBODY)
            row, access, byte = np.nonzero(several)
            self.reader[row, cells[access, byte]] = MANY
        return at // size
