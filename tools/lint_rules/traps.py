"""What the compilers or Asio get wrong, and what hides errors. Each was reproduced; the message says what to write instead."""
import re

from .cxx import balanced, split_top
from .tree import Finding

_CONDITION = re.compile(r"\b(if|while|switch|for)\s*(?:constexpr\s*)?\(")
_CAPTURE = re.compile(r"(?:^|[^\w)\]\s]|\s)\s*\[(?!\[)([^\[\]]*)\]\s*[({<]")
_LOCK = re.compile(r"\bstd::(?:lock_guard|unique_lock|scoped_lock|shared_lock)\b")
_SLEEP_THREAD = re.compile(r"\bthis_thread::sleep_\w+|\b(?:usleep|nanosleep)\s*\(|[;{}]\s*(?:::\s*)?sleep\s*\(")
# A test may yield for a moment (1 ms at most), or look again and again whether a condition holds.
_SLEEP_TASK = re.compile(r"\bsleep_(?:for|until)\s*\("
                         r"(?!\s*(?:\d+[un]s|1ms|std::chrono::(?:milliseconds\(1\)|(?:micro|nano)seconds\(\d+\)))\s*\))")
_POLL = re.compile(r"\bwhile\s*\([^;{}]*\)\s*\{?[^;{}]*$")
_GTEST = re.compile(r"(?<![\w:])testing::(Test|TestWithParam|TempDir|Values|ValuesIn|Combine|Range|Message|PrintToString|"
                    r"AssertionResult|AssertionSuccess|AssertionFailure|InitGoogleTest|UnitTest)\b")
_SLEEP_JS = re.compile(r"new Promise\(\s*\(?\s*\w*\s*\)?\s*=>\s*\{?\s*setTimeout\(|timers/promises|"
                       r"\bawait (?:pause|sleep|delay)\(")


def check(tree):
    for file in tree.cxx():
        if "co_await" in file.scan.code:
            yield from awaits(file)
            yield from locks(file)
        yield from words(file)
    for file in tree.files:
        if file.path.endswith((".test.mjs", ".test.ts", ".test.js")):
            for match in _SLEEP_JS.finditer(file.text):
                yield Finding("sleep", file.path, file.line_at(match.start()), "waits for a time: wait for a condition with a deadline")


def awaits(file):
    scan = file.scan
    for statement in scan.statements:
        if "co_await" not in scan.plain[statement.start:statement.end]:
            continue
        text = scan.statement_text(statement)
        if "co_await" not in text:
            continue
        line = file.line_at(statement.start + text.index("co_await"))
        if awaits_in_condition(text):
            yield Finding("await-condition", file.path, line, "co_await in a condition: g++ 12 breaks it; name the value first")
        if any(captures_by_value(match.group(1)) for match in _CAPTURE.finditer(text)):
            yield Finding("await-lambda", file.path, line, "a capturing lambda built beside co_await: g++ 12 destroys its captures "
                                                           "twice; name it first")
        if re.search(r"\bco_await\b[^;{}?]*\([^;{}?]*\?[^;{}]*:", text):
            yield Finding("await-choice", file.path, line, "`a ? b : c` as an argument of what is awaited: g++ 12 destroys the value that was "
                                                           "not made; name it first")
        if any(not is_empty(scan, frame) and not inside_lambda(frame, statement)
               for frame in scan.frames_in(statement.start, statement.end, "init")):
            yield Finding("await-braces", file.path, line, "a braced value built beside co_await: g++ 12 destroys it twice; name it "
                                                           "first")


def awaits_in_condition(text):
    for match in _CONDITION.finditer(text):
        inside = text[match.end():balanced(text, match.end() - 1) - 1]
        clauses = split_top(inside, ";")
        if match.group(1) == "for":
            decisive = clauses[1] if len(clauses) == 3 else ""
        else:
            decisive = clauses[-1]
        if "co_await" in decisive and not re.match(r"\s*(?:const\s+)?(?:auto|[\w:<>]+)[\s&*]+\w+\s*=", decisive):
            return True
        if "co_await" in decisive and match.group(1) != "for" and len(clauses) == 1:
            return True
    return False


def captures_by_value(captures):
    return any(capture.strip() and not re.match(r"&|this$", capture.strip()) for capture in split_top(captures, ","))


def is_empty(scan, frame):
    """`{}` for defaults: destroyed twice as well, but nothing in it to free."""
    return not scan.plain[frame.open + 1:frame.close].strip()


def inside_lambda(frame, statement):
    frame = frame.parent
    while frame is not None and frame.open >= statement.start:
        if frame.kind == "lambda":
            return True
        frame = frame.parent
    return False


def locks(file):
    scan = file.scan
    for statement in scan.statements:
        text = scan.statement_text(statement)
        if not _LOCK.search(text) or "(" not in text and "{" not in scan.plain[statement.start:statement.end]:
            continue
        end = statement.frame.close if statement.frame.close >= 0 else len(scan.plain)
        body = scan.plain[statement.end:end]
        for frame in scan.frames_in(statement.end, end, "lambda"):
            body = body[:frame.open - statement.end] + " " * (frame.close - frame.open) + body[frame.close - statement.end:]
        awaited = body.find("co_await")
        if awaited >= 0 and not re.search(r"\.unlock\s*\(", body[:awaited]):
            yield Finding("await-lock", file.path, file.line_at(statement.end + awaited), "co_await under a lock: nothing else on this "
                                                                                         "shard can release it")


def words(file):
    code = file.scan.code
    for match in re.finditer(r"\bdetached\b|\.detach\s*\(\s*\)", code):
        yield Finding("detached", file.path, file.line_at(match.start()), "nothing is detached: start it in a runtime::TaskScope, or join "
                                                                          "the thread")
    for match in _GTEST.finditer(code) if file.is_test else ():
        yield Finding("gtest-namespace", file.path, file.line_at(match.start()), f"write ::testing::{match.group(1)}: in a unity build "
                                                                                 f"`testing` may be sluice::testing")
    for match in re.finditer(r"\bawaitable_operators\b", code):
        yield Finding("awaitable-operators", file.path, file.line_at(match.start()), "Asio's `||` and `&&` swallow exceptions; use the "
                                                                                     "task scope")
    sleeps = list(_SLEEP_THREAD.finditer(code))
    if file.is_test:
        sleeps += [match for match in _SLEEP_TASK.finditer(code) if not _POLL.search(code[max(0, match.start() - 300):match.start()])]
    for match in sleeps:
        yield Finding("sleep", file.path, file.line_at(match.start()), "waits for a time: wait for a condition with a deadline, or use "
                                                                       "the manual clock")
