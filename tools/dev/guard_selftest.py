"""Proves tools/dev/guard.py: however a run ends, its status is kept and none of its processes or temporary files is left."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

GUARD = str(pathlib.Path(__file__).with_name("guard.py"))
SECONDS = 30
# An orphan in a session of its own, and a file; then the moment to interrupt.
LEAVES = 'setsid sleep 600 & echo "$!" "$TMPDIR" "$SLUICE_TEST_MEMORY_DIR"; touch "$TMPDIR/file"; '


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end_of(script, interrupt=None):
    """Runs the script under the guard and answers its status and what it left behind."""
    run = subprocess.Popen([sys.executable, GUARD, "bash", "-c", LEAVES + script], stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL, start_new_session=True)
    orphan, *folders = run.stdout.readline().split()
    if interrupt:
        interrupt(run.pid)
    status = run.wait(SECONDS)
    left = [folder for folder in folders if os.path.exists(folder)]
    return status, left + ([orphan] if is_alive(orphan) else [])


def expect(name, found, status):
    if found != (status, []):
        sys.exit(f"guard: {name}: expected status {status} and nothing left, found {found}")


def main():
    started = time.monotonic()
    os.environ["SLUICE_TEST_GRACE_SECONDS"] = "1"
    expect("a run that ends", end_of("exit 3"), 3)
    expect("a run that dies", end_of("kill -KILL $$"), 128 + signal.SIGKILL)
    expect("Ctrl-C", end_of("sleep 600", lambda pid: os.killpg(pid, signal.SIGINT)), 128 + signal.SIGINT)
    expect("SIGTERM of the guard alone", end_of("sleep 600", lambda pid: os.kill(pid, signal.SIGTERM)), 128 + signal.SIGTERM)
    expect("a run that ignores SIGTERM", end_of("trap '' TERM; sleep 600", lambda pid: os.kill(pid, signal.SIGTERM)), 128 + signal.SIGTERM)
    with tempfile.TemporaryDirectory() as outer:
        os.environ["TMPDIR"] = outer
        expect("a folder of the user's own", end_of("exit 0"), 0)
        if os.listdir(outer):
            sys.exit(f"guard: left {os.listdir(outer)} in TMPDIR")
    print(f"guard: 6 ends leave nothing, {time.monotonic() - started:.1f} s")


main()
