"""A command or a shell on a machine: every byte in and out as it is, Ctrl-C passed on, and its exit code."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from fleet.boot.reach import INSIDE, Reach, SshError, inside
from fleet.boot.ssh import lost
from fleet.boot.terminal import ask_for_terminal, is_terminal, lent

PIECE = 65536
PATIENT = 2
"""Ctrl-C is passed on so often; then the command is left to itself."""
SIGNAL_SECONDS = 5.0
"""Passing it on is given up after so long."""


def run(connection: Any, reach: Reach, words: Sequence[str], *, script: str = INSIDE) -> int:
    """Run a command beside the training; its exit code. Raises ConnectionLostError if the machine goes away meanwhile.

    At a terminal it gets one; else its standard output and error stay apart, and Ctrl-C becomes SIGINT for all that it
    started. A third Ctrl-C leaves it running there.
    """
    token = secrets.token_hex(8)
    terminal = is_terminal()
    line = inside(reach.user, "terminal" if terminal else "run", token, words, script)
    with _session(connection, reach) as channel:
        if terminal:
            ask_for_terminal(channel)
        channel.exec_command(os.fsencode(line))
        if terminal:
            with lent(channel):
                return _carried(channel, reach)
        with _passed_on(lambda: _interrupt(connection, reach, token, script)):
            return _carried(channel, reach)


def captured(
    connection: Any, reach: Reach, words: Sequence[str], *, silent: float, script: str = INSIDE
) -> tuple[int, bytes, bytes]:
    """Run a command beside the training, without input; its exit code, output and error.

    Raises ConnectionLostError if the machine goes away meanwhile, SshError if it says nothing for ``silent`` seconds.
    """
    line = inside(reach.user, "run", secrets.token_hex(8), words, script)
    out, err = io.BytesIO(), io.BytesIO()
    with _session(connection, reach) as channel:
        channel.settimeout(silent)
        channel.exec_command(os.fsencode(line))
        channel.shutdown_write()
        try:
            for stream in [_Drain(channel.recv, out), _Drain(channel.recv_stderr, err)]:
                stream.join()
        except TimeoutError:
            raise SshError(f"{reach.name} says nothing for {silent:.0f} s") from None
        return _code_of(channel, reach), out.getvalue(), err.getvalue()


def shell(connection: Any, reach: Reach) -> int:
    """The login shell, where OpenSSH's client is missing; its exit code."""
    with _session(connection, reach) as channel:
        if not is_terminal():
            channel.invoke_shell()
            return _carried(channel, reach)
        ask_for_terminal(channel)
        channel.invoke_shell()
        with lent(channel):
            return _carried(channel, reach)


@contextlib.contextmanager
def _session(connection: Any, reach: Reach) -> Iterator[Any]:
    """A channel of the connection. Whatever paramiko says of one that broke becomes the same word."""
    from paramiko.ssh_exception import SSHException

    channel = None
    try:
        channel = connection.create_session()
        yield channel
    except (SSHException, EOFError) as error:
        raise lost(reach) from error
    finally:
        if channel is not None:
            channel.close()


@contextlib.contextmanager
def _passed_on(interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls ``interrupt``, aside: the network may take its time. The third raises KeyboardInterrupt."""
    pressed = 0

    def press(_number: int, _frame: object) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > PATIENT:
            raise KeyboardInterrupt
        threading.Thread(target=interrupt, name="interrupt", daemon=True).start()
        if pressed == PATIENT:
            sys.stderr.write("fleet: Ctrl-C once more leaves it running there\n")

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _carried(channel: Any, reach: Reach) -> int:
    """Carry bytes until the command has ended."""
    threading.Thread(target=_feed, args=(channel,), name="stdin", daemon=True).start()
    for stream in [_Drain(channel.recv, sys.stdout.buffer), _Drain(channel.recv_stderr, sys.stderr.buffer)]:
        stream.join()
    return _code_of(channel, reach)


def _code_of(channel: Any, reach: Reach) -> int:
    """The exit code, once the command has ended."""
    code = int(channel.recv_exit_status())
    if code >= 0:
        return code
    if not channel.get_transport().is_active():
        raise lost(reach)
    raise SshError("the command was killed, or its exit code was not told")


class _Drain:
    """One stream of a command's, written as it comes."""

    def __init__(self, receive: Callable[[int], bytes], into: IO[bytes]) -> None:
        self._receive = receive
        self._into = into
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while piece := self._receive(PIECE):
                self._into.write(piece)
                self._into.flush()
        except OSError as error:
            self._error = error

    def join(self) -> None:
        """Wait for its end, hearing signals meanwhile. Raises OSError if nobody reads it here any more."""
        while self._thread.is_alive():
            self._thread.join(0.5)
        if self._error is not None:
            raise self._error


def _feed(channel: Any) -> None:
    """Standard input, to its end."""
    with contextlib.suppress(OSError, EOFError):  # the command has ended, and reads no more
        here = sys.stdin.fileno() if sys.stdin is not None else -1
        while here >= 0 and (piece := os.read(here, PIECE)):
            channel.sendall(piece)
        channel.shutdown_write()


def _interrupt(connection: Any, reach: Reach, token: str, script: str) -> None:
    """SIGINT to the command, over the same connection: what SSH has for that, servers refuse to do to root's processes."""
    with contextlib.suppress(Exception):  # it may be over, as may the connection: then the main thread hears of it
        asking = connection.transport.open_session(timeout=SIGNAL_SECONDS)
        asking.settimeout(SIGNAL_SECONDS)
        asking.exec_command(inside(reach.user, "signal", token, [str(int(signal.SIGINT))], script))
        asking.recv(1)
        asking.close()
