"""The keeper's control socket: one line asks, one line answers. DIR/control names it."""
import os
import pathlib
import select
import socket


def ask(directory, order, seconds=60):
    """The keeper's answer, or "" if there is no keeper."""
    try:
        address = pathlib.Path(directory, "control").read_text()
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(seconds)
            link.connect(address)
            link.sendall(order.encode() + b"\n")
            return link.makefile().readline().strip()
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        return ""


def end(directory):
    """Asks the keeper to end and waits until its process is gone."""
    answer = ask(directory, "end")
    if answer.isdigit():
        try:
            process = os.pidfd_open(int(answer))
        except ProcessLookupError:
            return
        select.select([process], [], [], 60)
        os.close(process)
