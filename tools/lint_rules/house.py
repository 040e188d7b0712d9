"""House keeping: file names, CMake lists, READMEs, leftovers, paths of one machine."""
import pathlib
import re

from .tree import Finding

_LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
_HOME = re.compile(r"(?<![\w.:/$}*-])/(?:" + "|".join(("home", "root", "work", "Users")) + r")/\w")
_GENERATED = ("package-lock.json",)


def check_names(tree):
    for file in tree.cxx():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", file.stem):
            yield Finding("file-name", file.path, 1, "C++ files are named in snake_case after their concept")
        if file.suffix == ".hpp" and "#pragma once" not in file.text:
            yield Finding("pragma-once", file.path, 1, "a header without #pragma once")


def check_leftovers(tree):
    for file in tree.files:
        if pathlib.PurePath(file.path).name in _GENERATED:
            continue
        for match in _LEFTOVER.finditer(file.text):
            yield Finding("leftover", file.path, file.line_at(match.start()), f"{match.group(1)}: finish it or delete it")
        for match in _HOME.finditer(file.text):
            yield Finding("machine-path", file.path, file.line_at(match.start()), "a path of one machine")


def check_readme(tree):
    modules = {file.parts[1] for file in tree.cxx() if file.parts[0] == "sluice" and len(file.parts) > 2}
    for module in sorted(modules):
        if f"sluice/{module}/README.md" not in tree.by_path:
            yield Finding("readme", f"sluice/{module}/README.md", 1, "missing: what the module owns, what it must not know, the three "
                                                                     "types to read first")


def check_lists(tree):
    """Each source, test and public header is in a CMakeLists.txt above it; what is not listed is not built, tested or installed."""
    lists = {}
    for file in tree.files:
        if pathlib.PurePath(file.path).name == "CMakeLists.txt":
            text = re.sub(r"#[^\n]*", "", file.text)
            lists[str(pathlib.PurePath(file.path).parent)] = set(re.findall(r"[^\s()\"]+", text))
    for file in tree.cxx():
        if file.parts[:2] == ("tests", "compile_fail") or file.parts[0] not in ("sluice", "examples", "server", "cli", "tests", "bench"):
            continue
        if file.suffix == ".hpp" and not file.is_public_header:
            continue
        if not listed(file, lists):
            what = "header" if file.suffix == ".hpp" else "test" if file.is_test else "source"
            yield Finding("cmake-list", file.path, 1, f"this {what} is in no CMakeLists.txt: nothing builds it")


def listed(file, lists):
    path = pathlib.PurePath(file.path)
    for folder in path.parents:
        words = lists.get(str(folder), ())
        if str(path.relative_to(folder)) in words:
            return True
        if file.parts[:2] == ("tests", "fuzz") and file.stem.removesuffix("_fuzz") in words:
            return True
        if file.parts[0] == "bench" and file.stem.removeprefix("bench_") in words:
            return True
    return False
