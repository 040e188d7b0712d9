"""A lint that cannot fail is none: each case plants one violation in a tree of its own and requires exactly that report;
the decoys beside it look alike and must stay silent."""
import pathlib
import tempfile

README = {"sluice/net/README.md": "net\n"}


def module(name, body, header="", listed=True):
    """A module with one source around `body`, and a header."""
    return {f"sluice/{name}/README.md": "what it owns\n",
            f"sluice/{name}/CMakeLists.txt": f"sluice_module(NAME {name} SOURCES part.cpp HEADERS part.hpp)\n" if listed else "",
            f"sluice/{name}/part.hpp": "#pragma once\n" + header,
            f"sluice/{name}/part.cpp": '#include "sluice/%s/part.hpp"\n%s\n' % (name, body)}


def inside(statement):
    return "namespace sluice::net {\nTask<void> f(Link link, State s) {\n    %s\n}\n}\n" % statement


LONG = "void f() {\n" + "    step();\n" * 70 + "}\n"
FITS = "void f() {\n" + "    step();\n" * 60 + "}\n"
DEEP = "void f() {\n" + "if (a) {\n" * 5 + "}" * 5 + "\n}\n"
FLAT = "void f() {\n" + "if (a) {\n" * 4 + "}" * 4 + "\nif (b) {\n} else if (c) {\n} else {\n}\n}\n"
UNNAMED = "namespace sluice::net {\nnamespace {\n%s\n}\n}\n"

VIOLATIONS = [
    ("layers", module("db", '#include "sluice/outbox/queue.hpp"')),
    ("layers", module("runtime", '#include "sluice/net/stream.hpp"')),
    ("layers", module("realtime", '#include "sluice/projection/fold.hpp"')),
    ("layers", module("outbox", '#include "sluice/testing/clock.hpp"')),
    ("layers", {**module("net", '#include "sluice/net/internal/testbed.hpp"'),
                "sluice/net/internal/testbed.hpp": '#pragma once\n#include "sluice/testing/clock.hpp"\n'}),
    ("layers", module("core", "#include <boost/asio/io_context.hpp>")),
    ("layers", module("outbox", '#include "sluice/nowhere/thing.hpp"')),
    ("internal", module("outbox", '#include "sluice/db/internal/pool.hpp"')),
    ("internal", module("outbox", '#include "sluice/db/sqlite/internal/writer.hpp"')),
    ("heavy-include", module("net", "", "#include <boost/asio.hpp>\n")),
    ("heavy-include", module("net", "", "#include <boost/json/value.hpp>\n")),
    ("heavy-include", module("net", "", "#include <sqlite3.h>\n")),
    ("size", module("net", "int a;\n" * 601)),
    ("size", module("net", "", "int a();\n" * 401)),
    ("function", module("net", LONG)),
    ("function", module("net", "struct A {\nA() : a_{1}, b_(2) {\n" + "step();\n" * 70 + "}\nint a_, b_;\n};\n")),
    ("function", module("net", "TABLE(a, (b))\n" + LONG)),
    ("nesting", module("net", DEEP)),
    ("parameters", module("net", "", "void f(int a, int b, int c, int d, int e, int g, int h);\n")),
    ("parameters", module("net", "int f(std::map<int, int> a, int b, int c, int d, int e, int g, int h) { return a; }\n")),
    ("unnamed-duplicate", {**module("net", UNNAMED % "int twice() { return 1; }"),
                           "sluice/net/other.cpp": UNNAMED % "int twice() { return 2; }",
                           "sluice/net/CMakeLists.txt": "part.cpp other.cpp part.hpp"}),
    ("unnamed-duplicate", {**module("net", UNNAMED % "constexpr int kLimit = 1;"),
                           "sluice/net/other.cpp": UNNAMED % "constexpr int kLimit = 2;",
                           "sluice/net/CMakeLists.txt": "part.cpp other.cpp part.hpp"}),
    ("await-condition", module("net", inside("if (co_await link.ready()) {\n    go();\n    }"))),
    ("await-condition", module("net", inside("if (co_await link.ready()) go();"))),
    ("await-condition", module("net", inside("while (!co_await link.done()) {\n    go();\n    }"))),
    ("await-condition", module("net", inside("for (int i = 0; co_await link.more(i); ++i) {\n    go();\n    }"))),
    ("await-lambda", module("net", inside("co_await link.run([s] { return s; });"))),
    ("await-lambda", module("net", inside("auto r = co_await link.run([s = std::move(s)](int x) mutable { return x; });"))),
    ("await-braces", module("net", inside("co_await link.send({.text = s});"))),
    ("await-braces", module("net", inside("co_await link.send(Message{s});"))),
    ("await-braces", module("net", inside("co_return Pair{s, co_await link.next()};"))),
    ("await-choice", module("net", inside("co_await link.send(known ? *known : make(s));"))),
    ("await-lock", module("net", inside("const std::lock_guard lock(mutex);\n    co_await link.next();"))),
    ("detached", module("net", inside("co_spawn(executor, run(), asio::detached);"))),
    ("detached", module("net", inside("std::thread(work).detach();"))),
    ("awaitable-operators", module("net", "using namespace boost::asio::experimental::awaitable_operators;")),
    ("sleep", module("net", "void f() { std::this_thread::sleep_for(a); }")),
    ("sleep", {**module("net", ""), "sluice/net/part_test.cpp": inside("co_await runtime::sleep_for(20ms);"),
               "sluice/net/CMakeLists.txt": "part.cpp part.hpp part_test.cpp"}),
    ("sleep", {"tests/e2e/page.test.mjs": "await new Promise((done) => setTimeout(done, 100));\n"}),
    ("gtest-namespace", {**module("net", ""), "sluice/net/part_test.cpp": "class A : public testing::Test {};\n",
                         "sluice/net/CMakeLists.txt": "part.cpp part.hpp part_test.cpp"}),
    ("file-name", {**module("net", ""), "sluice/net/BadName.cpp": "", "sluice/net/CMakeLists.txt": "part.cpp part.hpp BadName.cpp"}),
    ("pragma-once", {**module("net", ""), "sluice/net/part.hpp": "int a();\n"}),
    ("leftover", module("net", "// TO" + "DO: later")),
    ("leftover", {"README.md": "FIX" + "ME\n"}),
    ("machine-path", {"docs/guide.md": "cd /home" + "/someone/sluice\n"}),
    ("readme", {"sluice/net/CMakeLists.txt": "part.cpp", "sluice/net/part.cpp": ""}),
    ("cmake-list", module("net", "", listed=False)),
    ("cmake-list", {**module("net", ""), "sluice/net/part_test.cpp": ""}),
    ("cmake-list", {**module("net", ""), "sluice/net/unlisted.hpp": "#pragma once\n"}),
]

DECOYS = [
    {**module("net", ""), "sluice/net/internal/testbed.hpp": '#pragma once\n#include "sluice/testing/clock.hpp"\n',
     "sluice/net/part_test.cpp": '#include "sluice/net/internal/testbed.hpp"\n',
     "sluice/net/CMakeLists.txt": "part.cpp part.hpp part_test.cpp"},
    module("outbox", '#include "sluice/db/connection.hpp"\n#include "sluice/core/error.hpp"\n#include "sluice/outbox/internal/a.hpp"'),
    module("net", '#include "sluice/runtime/task.hpp"'),
    module("net", "#include <boost/asio.hpp>\n#include <sqlite3.h>"),
    module("net", FITS + FLAT),
    module("net", "DESCRIBE(A, (), (b))\nclass B {\n    B() {}\n" + "    int f();\n" * 80 + "};\n"),
    module("net", "void f() {\n    const Table t = {\n" + "        {1, 2},\n" * 80 + "    };\n}\n"),
    {"tests/e2e/harness.mjs": "await new Promise((done) => setTimeout(done, 100));\n"},
    module("net", "", "void f(int a, int b, int c, int d, int e, std::map<int, std::pair<int, int>> g);\n"),
    module("net", inside("if (auto v = co_await link.next(); v) go();")),
    module("net", inside("const bool ok = co_await link.ready();\n    if (ok) go();")),
    module("net", inside("for (auto& row : co_await link.rows()) {\n    go(row);\n    }")),
    module("net", inside("co_await link.run([&s] { return s; });\n    co_await link.run([this](Rows rows) { count(rows); });")),
    module("net", inside("const Message message{.text = s};\n    co_await link.send(message);")),
    module("net", inside("{\n        const std::lock_guard lock(mutex);\n        take();\n    }\n    co_await link.next();")),
    module("net", inside("auto work = [s]() -> Task<void> {\n        const Pair pair{1, 2};\n        co_await go(pair);\n    };\n    co_await work();")),
    {**module("net", ""), "sluice/net/part_test.cpp": "class A : ::testing::Test { testing::ManualClock c; std::string d = ::testing::TempDir(); };\n",
     "sluice/net/CMakeLists.txt": "part.cpp part.hpp part_test.cpp"},
    module("net", inside("co_await runtime::sleep_for(step);\n    Directive::sleep(step);\n    co_await link.run({}, s);")),
    {**module("net", ""), "sluice/net/part_test.cpp": inside("while (link.busy())\n        co_await sleep_for(20ms);\n    co_await sleep_for(1us);"),
     "sluice/net/CMakeLists.txt": "part.cpp part.hpp part_test.cpp"},
    module("net", inside('log("asio::detached, TO-DO, if (co_await x)");  // detached, sleep_for')),
    module("net", inside("// lint: allow sleep: the peer offers no event for this\n    std::this_thread::sleep_for(step);")),
    {**module("net", UNNAMED % "int once() { return 1; }"), "sluice/net/other.cpp": UNNAMED % "int other() { return 2; }",
     "sluice/net/CMakeLists.txt": "part.cpp other.cpp part.hpp"},
    {"docs/guide.md": "GET https://example.org/home/page, ./work/x, a/root/b\n"},
]


def reported(findings, files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = pathlib.Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return findings(folder)[0]


def run(findings, rules):
    wrong = []
    for number, (rule, files) in enumerate(VIOLATIONS):
        got = {finding.rule for finding in reported(findings, files)}
        if got != {rule}:
            wrong.append(f"violation {number} of {rule}: reported {sorted(got) or 'nothing'}")
    for number, files in enumerate(DECOYS):
        wrong += [f"decoy {number}: {finding}" for finding in reported(findings, files)]
    unproven = set(rules) - {rule for rule, _ in VIOLATIONS}
    wrong += [f"no case proves the rule {rule}" for rule in sorted(unproven)]
    for line in wrong:
        print(line)
    print(f"lint self-test: {len(VIOLATIONS)} violations and {len(DECOYS)} decoys, {len(wrong)} wrong")
    return 1 if wrong else 0
