"""Prints how many durable writes of 4 KiB a second the file system of a folder does: the floor under every commit."""
import os
import sys
import tempfile
import time

with tempfile.TemporaryFile(dir=sys.argv[1]) as file:
    block = bytes(4096)
    count, started = 0, time.monotonic()
    while time.monotonic() - started < 1.0:
        os.pwrite(file.fileno(), block, (count % 1024) * 4096)
        os.fdatasync(file.fileno())
        count += 1
    print(round(count / (time.monotonic() - started)))
