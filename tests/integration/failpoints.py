"""The board on which programs under test show how far they are, and are stopped at a step.

base/failpoint.h is the other side: a program that finds the board's path in
CRISP_FAILPOINTS maps it, lists the steps it has, logs those it reaches, and holds at the one
that is armed until it is released.
"""

import atexit
import mmap
import os
import struct
import tempfile
import time

import tools

SIZE = 64 << 10
HEADER = 128
IDLE, ARMED, HELD, RELEASED = range(4)


class Board:
    def __init__(self):
        fd, self.path = tempfile.mkstemp(prefix="crisp-failpoints-", dir="/tmp")
        os.truncate(fd, SIZE)
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)
        atexit.register(self.close)  # However the tests end.

    def close(self):
        if os.path.exists(self.path):
            os.unlink(self.path)

    def _word(self, index):
        return struct.unpack_from("=I", self.map, index * 4)[0]

    def _set(self, index, value):
        struct.pack_into("=I", self.map, index * 4, value)

    def clear(self):
        """Disarms, and forgets what was reached."""
        self._set(0, IDLE)
        self._set(3, 0)

    def arm(self, step, passes):
        """The next program that reaches `step` after that many have passed it holds there."""
        self._set(0, IDLE)
        self._set(1, passes)
        self.map[16:HEADER] = step.encode().ljust(HEADER - 16, b"\0")
        self._set(0, ARMED)

    @property
    def held(self):
        return self._word(0) == HELD

    def release(self):
        """Lets who holds go on; from here on nobody holds."""
        self._set(0, RELEASED)

    def _lines(self):
        used = self._word(3)
        assert used <= SIZE - HEADER, "the board is full"
        return bytes(self.map[HEADER : HEADER + used]).decode().splitlines()

    def listed(self):
        """Steps that the programs which started since clear() have."""
        return {line[1:] for line in self._lines() if line.startswith("+")}

    def reached(self):
        """Steps in the order in which they were reached since clear(), with repetitions."""
        return [line for line in self._lines() if not line.startswith("+")]

    def holder(self):
        """The pid, as we see it, of who holds."""
        own = self._word(2)
        for pid in tools.pids():
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                    numbers = next(line.split()[1:] for line in f if line.startswith("NSpid:"))
                if int(numbers[-1]) != own:
                    continue
                with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
                    if self.path in f.read():
                        return pid
            except (OSError, StopIteration):
                continue
        raise AssertionError(f"nobody with the pid {own} has the board")

    def wait(self, finished, seconds=60):
        """Waits until somebody holds or `finished` says true. Whether somebody holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.held:
                return True
            if finished():
                return self.held
            time.sleep(0.001)
        raise AssertionError("neither the step nor the end came")
