"""A process beside this one for what would hold up its event loop: compiling a large recipe takes seconds of Python.

Started once and kept warm, of low priority, and of no consequence: whatever happens to it, the work that it was doing
is refused and the next work gets a new one. A plain child with pipes, the same on every platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, ParamSpec, TypeVar, cast

from galvanode.errors import GalvanodeError

T = TypeVar("T")
P = ParamSpec("P")

WITHIN_S = 100.0
"""Real seconds that one piece of work may take."""
_LENGTH = struct.Struct(">Q")


class WorkLost(GalvanodeError):
    """The process that did the work ended, or took too long."""


class Workbench:
    """One process that carries out one function after the other. Functions, arguments and results are pickled."""

    def __init__(self, within_s: float = WITHIN_S) -> None:
        self._within_s = within_s
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workbench")

    @property
    def pid(self) -> int | None:
        """Process id, once it has been started."""
        return None if self._process is None else self._process.pid

    async def do(self, function: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
        """Have a function of a module carried out over there. Raises what it raises, or ``WorkLost``."""
        loop = asyncio.get_running_loop()
        return cast(T, await loop.run_in_executor(self._thread, self._do, (function, arguments, more)))

    async def close(self) -> None:
        """End the process, and with it what it is doing."""
        if self._process is not None:
            self._process.kill()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown()

    def _do(self, work: object) -> object:
        process = self._running()
        assert process.stdin is not None  # noqa: S101  (asked for in _running)
        assert process.stdout is not None  # noqa: S101
        deadline = threading.Timer(self._within_s, process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            _send(process.stdin, work)
            is_result, value = cast(tuple[bool, Any], _receive(process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._end()
            late = not deadline.is_alive()
            how = f"took longer than {self._within_s:g} s" if late else f"ended ({_how(process)})"
            raise WorkLost(f"the process that does this {how}; nothing was started, try again") from error
        finally:
            deadline.cancel()
        if is_result:
            return value
        raise value

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "galvanode.engine.workbench"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait()


def _how(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    return f"signal {-status}" if status is not None and status < 0 else f"status {status}"


def _send(pipe: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> object:
    """Raises ``EOFError`` at the end of the pipe."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301  (between this program and its own child)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return data


def _carried_out(work: object) -> tuple[bool, Any]:
    function, arguments, more = cast(tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]], work)
    try:
        return True, function(*arguments, **more)
    except Exception as error:  # it is raised where the work was asked for
        return False, error


def main() -> None:
    """Carry out what comes over standard input, until that ends."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who can make a cell safe
    if hasattr(os, "nice"):
        os.nice(10)
    # Who asked may be gone in the middle of an answer, whose rest is then written in vain when it is closed.
    with contextlib.suppress(EOFError, BrokenPipeError), os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever prints does not print into an answer
        while True:
            _send(answers, _carried_out(_receive(sys.stdin.buffer)))


if __name__ == "__main__":
    main()
