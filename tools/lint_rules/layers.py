"""The house: which folder may include which (the rows below). An include points down, or left within a row."""
import re

from .tree import Finding

ROWS = [
    ["core"],
    ["runtime", "net"],
    ["db"],
    ["migrate", "tenant", "identity", "bus"],
    ["outbox"],
    ["projection"],
    ["sink"],
    ["realtime"],
    ["live", "http"],
    ["app", "server", "cli", "examples"],
]
LAYER = {module: (row, column) for row, modules in enumerate(ROWS) for column, module in enumerate(modules)}
FORBIDDEN = {
    ("realtime", "projection"): "realtime must not know how a delta was made; live binds the two",
    ("realtime", "sink"): "realtime must not know sinks",
    ("http", "live"): "http hands upgraded sockets over; it does not know projections",
}
HEAVY = re.compile(r"boost/asio\.hpp|boost/beast[/.]|boost/json[/.]|sqlite3\.h|spdlog/|prometheus/|libpq-fe\.h|mysql/|mariadb/")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)


def includes(file):
    for match in INCLUDE.finditer(file.text):
        yield match.group(1), file.line_at(match.start())


def target_module(include):
    parts = include.split("/")
    if parts[0] == "sluice" and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in ("server", "cli", "examples") and len(parts) > 1 else None


def check(tree):
    for file in tree.cxx():
        for include, line in includes(file):
            target = target_module(include)
            if target is None or target == file.module:
                continue
            yield from internal(file, include, target, line)
            if file.module is not None:
                yield from direction(file, include, target, line)


def internal(file, include, target, line):
    if "internal" in include.split("/"):
        yield Finding("internal", file.path, line, f"includes {include}: internal/ of {target} belongs to {target} alone; "
                                                   f"use or ask for a public header of sluice/{target}/")


def direction(file, include, target, line):
    if target == "testing":
        if not file.is_test:
            yield Finding("layers", file.path, line, f"includes {include}: sluice/testing is for tests only")
        return
    if file.module == "testing":
        return
    if target not in LAYER or file.module not in LAYER:
        unknown = target if target not in LAYER else file.module
        yield Finding("layers", file.path, line, f"includes {include}: sluice/{unknown} is in no layer (tools/lint_rules/layers.py)")
        return
    (row, column), (target_row, target_column) = LAYER[file.module], LAYER[target]
    if target_row > row or (target_row == row and target_column > column):
        yield Finding("layers", file.path, line,
                      f"includes {include}: {file.module} (layer {row}) must not know {target} (layer {target_row}); "
                      f"an include points down, or left within a row")
    elif (file.module, target) in FORBIDDEN:
        yield Finding("layers", file.path, line, f"includes {include}: {FORBIDDEN[file.module, target]}")


def check_heavy(tree):
    """Users pay for what public headers include."""
    for file in tree.cxx():
        for include, line in includes(file):
            if file.is_public_header and HEAVY.match(include):
                yield Finding("heavy-include", file.path, line, f"a public header includes {include}: forward-declare, or move it "
                                                                f"to a source or to internal/")
            if file.module == "core" and not file.is_test and include.startswith("boost/asio"):
                yield Finding("layers", file.path, line, f"includes {include}: core does no I/O")
