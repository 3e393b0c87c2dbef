"""Drives the lane through a terminal; prints ok|name| or FAIL|name|detail for each test."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

RUN = sys.argv[1]


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *argv, rows=33, columns=101):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.seen = b""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.fd, keys)

    def read(self):
        """Reads what there is; False at the end."""
        if not select.select([self.fd], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def until(self, text, seconds=10):
        """Waits for text in what has come since the last call; returns all of that."""
        end = time.time() + seconds
        while text not in self.seen and time.time() < end and self.read():
            pass
        seen, self.seen = self.seen, b""
        return seen

    def exit_status(self):
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def check(name, good, detail=""):
    print(f"ok|{name}|" if good else f"FAIL|{name}|{detail!r}", flush=True)


def equal(name, expected, actual):
    check(name, expected == actual, f"expected {expected!r}, got {actual!r}")


def contains(name, expected, actual):
    check(name, expected in actual, f"expected {expected!r} in {actual!r}")


def settings(terminal):
    return termios.tcgetattr(terminal.fd)


def shell():
    """Quotes inside a word keep a marker from being found in the echo of what was typed."""
    terminal = Terminal(RUN, "bash", "--norc", "-i")
    terminal.until(b"bash-")
    terminal.type(b"PS1='rea''dy> '\r")
    terminal.until(b"ready> ")

    def ask(keys, last=b"ready> "):
        terminal.type(keys)
        return terminal.until(last)

    contains("its streams are a terminal", b"yes", ask(b"test -t 0 -a -t 1 -a -t 2 && echo y'es'\r"))
    contains("the size of the terminal", b"33 101", ask(b"stty size\r"))
    terminal.resize(20, 60)
    terminal.until(b"no such text", 0.3)
    contains("a change of its size", b"20 60", ask(b"stty size\r"))
    contains("line editing", b"\nabX", ask(b"echo ''abc\x7fX\r").replace(b"\r", b"\n"))
    ask(b"sh -c 'echo go''es; exec cat'\r", b"goes")
    ask(b"hello\r", b"hello\r\nhello\r\n")
    contains("Ctrl-C reaches the foreground", b"^C", ask(b"\x03"))
    ask(b"sh -c 'echo go''es; exec sleep 30'\r", b"goes")
    contains("Ctrl-Z stops it", b"Stopped", ask(b"\x1a"))
    contains("background jobs", b"sleep 30' &", ask(b"bg\r"))
    contains("status of a command", b"ends 1", ask(b"kill %1; wait %1; false; echo ends $?\r", b"ends 1"))
    terminal.type(b"exit 9\r")
    equal("the shell's status", 9, terminal.exit_status())


def single_commands():
    terminal = Terminal(RUN, "sh", "-c", "echo ready; exec cat")
    terminal.until(b"ready")
    terminal.type(b"one\r\x04")
    equal("Ctrl-D ends the input", 0, terminal.exit_status())
    contains("and what came before it arrives", b"one\r\none", terminal.seen)

    terminal = Terminal(RUN, "sh", "-c", "trap 'echo drained; exit 4' INT; echo ready; while :; do sleep 0.02; done")
    terminal.until(b"ready")
    terminal.type(b"\x03")
    contains("Ctrl-C lets a command drain", b"drained", terminal.until(b"drained"))
    equal("and end with its own status", 4, terminal.exit_status())

    terminal = Terminal(RUN, "sh", "-c", "stty raw; echo ready; sleep 30")
    terminal.until(b"ready")
    terminal.type(b"\x1d\x1d\x1d")
    equal("Ctrl-] three times is the way out", 125, terminal.exit_status())

    terminal = Terminal(RUN, "sh", "-c", "echo ready; sleep 30")
    terminal.until(b"ready")
    started = time.time()
    os.close(terminal.fd)
    os.waitpid(terminal.pid, 0)
    check("a lost terminal ends the command", time.time() - started < 3)


def restoring():
    for name, command in [("an ordinary end", "true"), ("the guest's panic", "echo c >/proc/sysrq-trigger")]:
        terminal = Terminal("sh", "-c", f"{RUN} sh -c '{command}' 2>/dev/null; echo back; sleep 30")
        before = settings(terminal)
        terminal.until(b"back")
        equal(f"the terminal's settings after {name}", before, settings(terminal))
        os.kill(terminal.pid, 9)
        os.close(terminal.fd)
        os.waitpid(terminal.pid, 0)

    terminal = Terminal(RUN, "sh", "-c", "echo ready; sleep 30")
    before = settings(terminal)
    terminal.until(b"ready")
    check("the terminal is raw meanwhile", before != settings(terminal))
    os.kill(terminal.pid, 9)
    os.waitpid(terminal.pid, 0)
    for _ in range(40):
        if before == settings(terminal):
            break
        time.sleep(0.05)
    equal("the terminal's settings after SIGKILL", before, settings(terminal))


def mixed():
    terminal = Terminal("sh", "-c", f"echo input | {RUN} sh -c 'cat; test -t 1 || echo plain'")
    contains("stdin from a pipe, stdout to a terminal", b"input\r\nplain", terminal.until(b"plain"))
    terminal.exit_status()
    # The first to start ends first: the other one must not have saved a terminal that was raw.
    script = f"exec 3<&0; {RUN} sh -c 'echo one; sleep 0.5' <&3 & sleep 0.3; {RUN} sh -c 'sleep 0.5; echo two'; echo over"
    terminal = Terminal("sh", "-c", script + "; sleep 30")
    before = settings(terminal)
    seen = terminal.until(b"over")
    check("two runs on one terminal", b"one" in seen and b"two" in seen, seen)
    equal("the terminal's settings after two runs", before, settings(terminal))
    os.kill(terminal.pid, 9)
    os.close(terminal.fd)
    os.waitpid(terminal.pid, 0)

    terminal = Terminal("bash", "-c", f"set -m; {RUN} sh -c 'sleep 0.2; cat; echo ended' & wait; echo over")
    contains("a background job does not stop", b"ended", terminal.until(b"over"))
    terminal.exit_status()


shell()
single_commands()
restoring()
mixed()
