"""The files that are checked, and what a rule reports."""
import dataclasses
import functools
import pathlib
import re
import subprocess

from . import cxx

TEXT = {".cpp", ".hpp", ".txt", ".cmake", ".md", ".ts", ".mjs", ".js", ".css", ".html", ".sh", ".py", ".toml", ".sql", ""}


@dataclasses.dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


class File:
    """A file with its text, and for C++ its scan (cxx.Scan), made once."""

    def __init__(self, root, path):
        self.path = path
        self.parts = pathlib.PurePath(path).parts
        self.suffix = pathlib.PurePath(path).suffix
        self.stem = pathlib.PurePath(path).stem
        self._disk = root / path

    @functools.cached_property
    def text(self):
        return self._disk.read_text(errors="replace")

    @functools.cached_property
    def scan(self):
        return cxx.Scan(self.text)

    @property
    def is_cxx(self):
        return self.suffix in (".cpp", ".hpp")

    @property
    def is_test(self):
        return self.stem.endswith("_test") or self.stem.startswith("test_") or self.parts[0] in ("tests", "bench") or self.parts[:2] == ("sluice", "testing")

    @property
    def module(self):
        """`outbox` for sluice/outbox/…, `examples` for examples/…, else None."""
        if self.parts[0] == "sluice" and len(self.parts) > 2:
            return self.parts[1]
        return self.parts[0] if self.parts[0] in ("server", "cli", "examples") else None

    @property
    def is_public_header(self):
        """Installed for users; test support beside the sources (test_….hpp) is not."""
        return (self.parts[0] == "sluice" and self.suffix == ".hpp" and "internal" not in self.parts
                and not self.stem.startswith("test_"))

    def line_at(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def allows(self, rule, line):
        """Whether `lint: allow RULE: reason` stands on the line or the one above."""
        lines = self.text.splitlines()
        near = lines[max(0, line - 2):line]
        return any(re.search(rf"lint: allow {re.escape(rule)}: \S", text) for text in near)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = [File(self.root, path) for path in self._paths()]
        self.by_path = {file.path: file for file in self.files}

    def _paths(self):
        if (self.root / ".git").exists():
            listing = subprocess.run(["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                     check=True, stdout=subprocess.PIPE).stdout.decode()
            paths = [path for path in listing.split("\0") if path]
        else:
            paths = [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]
        return sorted(path for path in set(paths) if pathlib.PurePath(path).suffix in TEXT and (self.root / path).is_file())

    def cxx(self):
        return [file for file in self.files if file.is_cxx]
