"""The process that holds the servers: it ends them, and what they wrote, when it is told to or when its owner is gone.

It is the servers' parent, and they ask the kernel for a signal when it dies, so kill −9 of the keeper ends them too; the directory
that is left then goes at the next start.
"""
import contextlib
import ctypes
import dataclasses
import fcntl
import itertools
import os
import pathlib
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from . import KINDS

PREFIX = "sluice-servers-"
READY_SECONDS = 60
STOP_SECONDS = 20
PORT_TRIES = 8
PR_SET_PDEATHSIG = 1


def die_with_parent(number=signal.SIGKILL):
    """In a child before its program begins."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclasses.dataclass
class Wishes:
    durable: bool = False
    keep: pathlib.Path | None = None  # where data and passwords outlive the servers
    databases: list = dataclasses.field(default_factory=list)


class Server:
    """One process of a kind, started again with the same port and data as often as wanted."""

    def __init__(self, kind, home, wishes):
        self.home = (wishes.keep or home) / kind.name
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / "lock").exists():
            raise RuntimeError(f"{self.home} holds something else already; choose another folder")
        self.home.mkdir(mode=0o700, parents=wishes.keep is not None, exist_ok=wishes.keep is not None)
        self.account = pwd.getpwnam(kind.account) if os.geteuid() == 0 else None
        if self.account:
            os.chown(self.home, self.account.pw_uid, self.account.pw_gid)
        self.kept_lock = self.lock_kept() if wishes.keep else None
        self.check_reach()
        self.passwords = 0
        self.kind = kind(self.home, self.run, self.make_password, wishes.durable)
        self.kind.databases = wishes.databases
        self.process = None
        self.pidfd = None

    def lock_kept(self):
        """Held for this process's life: one server per folder."""
        handle = os.open(self.home / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"{self.home} is in use by another server; stop that one or choose another folder") from None
        return handle

    def check_reach(self):
        """The server's user must pass through every folder above, which in somebody's home it may not."""
        for folder in self.home.parents if self.account else ():
            if not folder.stat().st_mode & 0o001:
                raise RuntimeError(f"{self.home}: the user {self.account.pw_name} may not enter {folder}; choose a folder elsewhere")

    def make_password(self):
        """The kind's first, second, …; of a kept server those that it was made with."""
        self.passwords += 1
        path = self.home / f"password.{self.passwords}"
        if not path.exists():
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(16))
        return path.read_text()

    def clear(self):
        for path in self.home.iterdir():
            if path.name != "lock" and not path.name.startswith("password."):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def become(self, death_signal):
        def prepare():
            if self.account:
                os.initgroups(self.account.pw_name, self.account.pw_gid)
                os.setgid(self.account.pw_gid)
                os.setuid(self.account.pw_uid)
            # After the change of user, which forgets it.
            die_with_parent(death_signal)
        return prepare

    def run(self, words, text=None, variables=None):
        """Runs a tool of the kind to its end, as the server's user."""
        done = subprocess.run(words, input=text, text=True, cwd=self.home, env=self.environment() | (variables or {}),
                              preexec_fn=self.become(signal.SIGKILL), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=READY_SECONDS)
        if done.returncode:
            raise RuntimeError(f"{words[0]} failed:\n{done.stdout}")
        return done.stdout

    def environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "HOME": str(self.home)}

    def start_first(self):
        # Prepared and interrupted is not prepared: what a first start left half done is made anew.
        made = self.home / "made"
        if not made.exists():
            self.clear()
            self.kind.prepare()
        for _ in range(PORT_TRIES):
            self.kind.port = free_port()
            if self.start():
                self.kind.initialise()
                made.touch()
                return
        raise RuntimeError(f"{self.kind.name} found no port:\n{self.log_tail()}")

    def start(self):
        """False if the server ended at once: another program took the port between our look and its bind."""
        with (self.home / "server.log").open("a") as log:
            self.process = subprocess.Popen(self.kind.command(), cwd=self.home, env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=self.become(self.kind.stop_signals[0]))
        self.pidfd = os.pidfd_open(self.process.pid)
        limit = time.monotonic() + READY_SECONDS
        while not self.kind.is_ready():
            # The process's end is the condition; the time is how often readiness is asked for.
            if select.select([self.pidfd], [], [], 0.05)[0]:
                self.reap()
                return False
            if time.monotonic() > limit:
                self.stop()
                raise RuntimeError(f"{self.kind.name} is not ready after {READY_SECONDS} s:\n{self.log_tail()}")
        return True

    def stop(self, first=None):
        """Each signal gets its time; the last one nothing survives."""
        if self.process is None:
            return
        for number in ([first] if first else [*self.kind.stop_signals, signal.SIGKILL]):
            self.process.send_signal(number)
            if select.select([self.pidfd], [], [], STOP_SECONDS)[0]:
                break
        self.reap()

    def reap(self):
        self.process.wait()
        os.close(self.pidfd)
        self.process = self.pidfd = None

    def log_tail(self):
        return "\n".join((self.home / "server.log").read_text(errors="replace").splitlines()[-15:])


def lock(home):
    """Held for this process's life: a directory whose lock is free belongs to nobody. Made under another name, so that nobody sees it
    unlocked."""
    handle = os.open(home / "lock.new", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    (home / "lock.new").rename(home / "lock")


def sweep():
    """Removes what keepers that were killed left behind."""
    places = {tempfile.gettempdir(), os.environ.get("SLUICE_TEST_MEMORY_DIR") or tempfile.gettempdir()}
    for home in itertools.chain.from_iterable(pathlib.Path(place).glob(PREFIX + "*") for place in places):
        with contextlib.suppress(OSError):
            handle = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home, ignore_errors=True)
            finally:
                os.close(handle)


class Keeper:
    def __init__(self, names, directory, owner, wishes):
        sweep()
        self.directory = directory
        # Databases are made and dropped by the hundred: in memory where ./dev test has room for it, unless the disk is the point.
        memory = None if wishes.durable else os.environ.get("SLUICE_TEST_MEMORY_DIR")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory))
        lock(self.home)
        self.home.chmod(0o711)  # the servers' users pass through
        self.owner = os.pidfd_open(owner)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.home / "socket"))
        self.listener.listen()
        self.wake, wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_end)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.names, self.wishes = names, wishes
        self.servers = {}

    def start(self):
        for name in self.names:
            server = self.servers[name] = Server(KINDS[name], self.home, self.wishes)
            server.kind.followed = any(getattr(KINDS[other], "follows", None) == name for other in self.names)
            if needs := getattr(server.kind, "needs", None):
                if needs not in self.servers:
                    raise RuntimeError(f"{name} wants {needs} before it: `tools/servers start {needs} {name} …`")
                server.kind.behind = self.servers[needs].kind
            server.start_first()
        lines = [f"{key} {value}\n" for server in self.servers.values() for key, value in server.kind.addresses().items()]
        target = self.directory / "servers.txt"
        target.touch(mode=0o600)
        target.write_text("".join(lines))
        (self.directory / "control").write_text(str(self.home / "socket"))

    def serve(self):
        while True:
            ready = select.select([self.owner, self.wake, self.listener], [], [])[0]
            if self.owner in ready or self.wake in ready:
                return None
            link, _ = self.listener.accept()
            order = link.makefile().readline().split()
            if order == ["end"]:
                return link
            with link:
                link.sendall(self.obey(order).encode() + b"\n")

    def obey(self, order):
        if order == ["ping"]:
            return "ok"
        if len(order) != 2 or order[1] not in self.servers:
            return f"unknown order {' '.join(order)}"
        server = self.servers[order[1]]
        if order[0] == "kill":
            server.stop(signal.SIGKILL)
        elif order[0] == "halt":
            server.stop()
        elif order[0] == "revive":
            if server.process is None and not server.start():
                return server.log_tail().replace("\n", " | ")
        else:
            return f"unknown order {order[0]}"
        return "ok"

    def close(self):
        for server in reversed(self.servers.values()):
            server.stop()
        for name in ("control", "servers.txt"):
            (self.directory / name).unlink(missing_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)


def keep(names, directory, owner, wishes):
    keeper = Keeper(names, directory, owner, wishes)
    link = None
    try:
        keeper.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        os.close(1)  # whoever waits for "ready" waits for the end of this
        link = keeper.serve()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    finally:
        keeper.close()
        if link is not None:
            with contextlib.suppress(OSError):
                link.sendall(f"{os.getpid()}\n".encode())
    os._exit(0)  # standard output is closed already
