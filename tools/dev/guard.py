"""guard.py COMMAND…: runs it so that nothing outlives it, neither a process nor a temporary file, however it ends.

An orphan among its descendants becomes a child of this process, which ends it. TMPDIR is a folder of the run's own, and
SLUICE_TEST_MEMORY_DIR one in memory where the machine has room for it.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
GRACE_SECONDS = int(os.environ.get("SLUICE_TEST_GRACE_SECONDS", 10))
MEMORY = pathlib.Path("/dev/shm")
LEAST_FREE_MEMORY = 1 << 30  # bytes; containers often have 64 MiB here


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def descendants():
    """Process ids under this one, zombies left out."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        if state != "Z":
            children.setdefault(int(parent), []).append(int(stat.parent.name))
    found, frontier = set(), [os.getpid()]
    while frontier:
        for pid in children.get(frontier.pop(), []):
            found.add(pid)
            frontier.append(pid)
    return found


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "one that ended"


def reap():
    """Buries every ended child and returns their statuses by process id."""
    ended = {}
    try:
        while (done := os.waitpid(-1, os.WNOHANG))[0]:
            ended[done[0]] = os.waitstatus_to_exitcode(done[1])
    except ChildProcessError:
        pass
    return ended


def tell(pids, which):
    for pid in pids:
        try:
            os.kill(pid, which)
        except ProcessLookupError:
            pass


def end_descendants():
    """SIGTERM once to each, SIGKILL to what is left after the grace or at a second signal of the user."""
    told, ended, deadline, last = set(), {}, time.monotonic() + GRACE_SECONDS, time.monotonic() + 3 * GRACE_SECONDS
    while (alive := descendants()) and time.monotonic() < last:
        if time.monotonic() > deadline:
            tell(alive, signal.SIGKILL)
        else:
            tell(alive - told, signal.SIGTERM)
            told |= alive
        caught = signal.sigtimedwait({signal.SIGCHLD} | STOP_SIGNALS, 0.1)
        if caught and caught.si_signo in STOP_SIGNALS:
            deadline = 0
        ended |= reap()
    return ended | reap()


def run(command, environment):
    watched = {signal.SIGCHLD} | STOP_SIGNALS
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    child = subprocess.Popen(command, env=environment, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before))
    while True:
        caught = signal.sigwait(watched)
        ended = reap() if caught == signal.SIGCHLD else {}
        if caught in STOP_SIGNALS or child.pid in ended:
            break
    if caught == signal.SIGCHLD and (left := descendants()):
        print(f"dev: the command left {len(left)} processes: {', '.join(sorted(map(name_of, left)))}", file=sys.stderr)
    ended |= end_descendants()
    child.returncode = status = ended.get(child.pid, 1)
    if caught in STOP_SIGNALS:
        return 128 + caught
    return status if status >= 0 else 128 - status


def make_folder(parent=None):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-dev-", dir=parent))
    folder.chmod(0o755)  # a test may start a server as another user in it
    return folder


def main():
    adopt_orphans()
    folders = [make_folder()]
    environment = os.environ | {"SLUICE_TEST_GUARD": str(os.getpid()), "TMPDIR": str(folders[0])}
    environment.pop("SLUICE_TEST_MEMORY_DIR", None)
    try:
        if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= LEAST_FREE_MEMORY:
            folders.append(make_folder(MEMORY))
            environment["SLUICE_TEST_MEMORY_DIR"] = str(folders[1])
        return run(sys.argv[1:], environment)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
