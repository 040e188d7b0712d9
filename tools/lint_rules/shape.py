"""Sizes: files, functions, parameters, nesting; and names that would collide in a unity build."""
import collections
import re

from .cxx import _PREFIX, parameters
from .tree import Finding

SOURCE_LINES, HEADER_LINES, FUNCTION_LINES, PARAMETERS, NESTING = 600, 400, 70, 6, 4


def check_size(tree):
    for file in tree.files:
        limit = {".cpp": SOURCE_LINES, ".hpp": HEADER_LINES, ".ts": SOURCE_LINES, ".mjs": SOURCE_LINES, ".py": SOURCE_LINES,
                 ".sh": SOURCE_LINES}.get(file.suffix)
        lines = file.text.count("\n")
        if limit and lines > limit:
            yield Finding("size", file.path, 1, f"{lines} lines; the limit is {limit}: one concept per file")


def check_functions(tree):
    for file in tree.cxx():
        scan = file.scan
        for frame in scan.frames:
            if frame.close < 0:
                continue
            start = file.line_at(frame.open)
            if frame.kind in ("function", "lambda"):
                lines = file.line_at(frame.close) - start + 1 - table_lines(file, frame)
                if lines > FUNCTION_LINES:
                    yield Finding("function", file.path, start, f"a function of {lines} lines; the limit is {FUNCTION_LINES}")
            elif frame.kind == "control" and nesting(frame) == NESTING + 1:
                yield Finding("nesting", file.path, start, f"nested {NESTING + 1} deep; the limit is {NESTING}: return early or name "
                                                           f"the inner part")
        yield from too_many_parameters(file)


def table_lines(file, function):
    """Lines between the outermost initializer braces of a function: data, not steps."""
    lines, end = 0, function.open
    for frame in file.scan.frames_in(function.open + 1, function.close, "init"):
        if frame.open > end:
            lines += file.text.count("\n", frame.open, frame.close)
            end = frame.close
    return lines


def nesting(frame):
    depth = 0
    while frame is not None and frame.kind not in ("function", "lambda"):
        depth += frame.kind == "control"
        frame = frame.parent
    return depth


def too_many_parameters(file):
    heads = [(frame.head, frame.open) for frame in file.scan.frames if frame.kind == "function"]
    heads += [(file.scan.plain[statement.start:statement.end], statement.end) for statement in file.scan.statements
              if statement.frame.kind in ("file", "namespace", "type") and statement.end - statement.start > 30]
    for head, offset in heads:
        if head.count(",") < PARAMETERS:
            continue
        found = parameters(_PREFIX.sub("", head.strip()))
        if found and len(found[1]) > PARAMETERS:
            yield Finding("parameters", file.path, file.line_at(offset), f"{found[0]} takes {len(found[1])} parameters; the limit is "
                                                                         f"{PARAMETERS}: pass a named struct")


def unnamed_names(file):
    """(enclosing namespace, name, offset) of what the unnamed namespaces of a source define."""
    scan = file.scan
    inside = {id(frame) for frame in scan.frames if frame.kind == "namespace" and re.search(r"namespace\s*$", frame.head)}
    for frame in scan.frames:
        if frame.parent is None or id(frame.parent) not in inside:
            continue
        head = _PREFIX.sub("", frame.head)
        name = None
        if frame.kind == "function":
            found = parameters(head)
            name = found[0] if found else None
        elif frame.kind == "type":
            match = re.match(r"(?:class|struct|union|enum(?:\s+class)?)\s+(\w+)(?!\s*<|\w)", head)
            name = match.group(1) if match else None
        if name:
            yield scan.enclosing_namespace(frame.parent), name, frame.open
    for statement in scan.statements:
        if id(statement.frame) in inside:
            text = _PREFIX.sub("", scan.plain[statement.start:statement.end].strip())
            match = re.match(r"(?:inline\s+|static\s+|constexpr\s+|const\s+|thread_local\s+)+[^=(){}]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|\{|$)", text)
            if match:
                yield scan.enclosing_namespace(statement.frame), match.group(1), statement.end


def check_unnamed(tree):
    seen = collections.defaultdict(dict)
    for file in tree.cxx():
        if file.suffix != ".cpp":
            continue
        group = (file.parts[:2] if file.parts[0] == "sluice" else file.parts[:-1], file.is_test)
        for namespace, name, offset in unnamed_names(file):
            first = seen[group].setdefault((namespace, name), file.path)
            if first != file.path:
                yield Finding("unnamed-duplicate", file.path, file.line_at(offset), f"{name} is in an unnamed namespace of {first} too: a "
                                                                                   f"unity build sees both")
