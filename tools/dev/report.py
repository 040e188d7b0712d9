"""Adds up what the parts of `./dev test` left in build/results/<stage>.<part>/: each result is counted once.

- GoogleTest programs: their JSON file; a program that ended badly although its JSON shows no failure is one failure.
- Node's test runner: its closing `# pass N` lines.  - Others: a last line `N passed, N failed, N skipped`, else the exit status.
- checks.tsv: checks of our own, a line each.

A case counts for the databases that its name or its program's names. What <program>_<database>_test runs again ran on SQLite
in <program>_test (sluice_on_database in tests/CMakeLists.txt) and counts there too.
"""
import argparse
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

RESULTS = pathlib.Path("build/results")
DATABASES = ("sqlite", "postgres", "pgbouncer", "mariadb")
SERVERS = ("postgres", "mariadb")  # what tests run again on
CONTRACT = ("release", "db_contract_test")  # one list of cases, the same for every driver
TAIL_LINES = 25
SHOWN_FAILURES = 30


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # (name, last lines of its output)
        self.databases = {name: [0, 0] for name in DATABASES}  # run, skipped
        self.cases = {}  # (stage, program, suite and case) of GoogleTest -> whether it was skipped, and its database

    def add(self, verdict, name, tail="", weight=1, database=""):
        setattr(self, verdict, getattr(self, verdict) + weight)
        if verdict == "failed":
            self.failures.append((name, tail))
        if not database:
            database = next(iter(named_databases(name)), "none")
        if database in self.databases:
            self.databases[database][verdict == "skipped"] += weight

    def add_sqlite_twins(self):
        """Counts what ran on SQLite in a program whose name does not say so."""
        again = {(stage, program.replace(f"_{database}_test", "_test"), case) for stage, program, case in self.cases
                 for database in SERVERS if f"_{database}_" in program}
        for twin in again & self.cases.keys():
            skipped, database = self.cases[twin]
            if database == "none":
                self.databases["sqlite"][skipped] += 1

    def of_contract(self, database):
        """Cases of the drivers' contract that ran or were skipped there."""
        return sum(known == database for (*program, _), (_, known) in self.cases.items() if tuple(program) == CONTRACT)

    def merge(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.cases |= other.cases
        for database in DATABASES:
            for index in (0, 1):
                self.databases[database][index] += other.databases[database][index]

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def named_databases(name):
    return [database for database in DATABASES if database in name.lower()]


def last_lines(text):
    """The end of an output; of a build's log what the compilers complained about, which is seldom at the end."""
    complaints = re.findall(r"^FAILED: .*$|^.*\berror: .*$|^.*undefined (?:symbol|reference).*$|^CMake Error.*$", text, re.M)
    if complaints and "ninja: " in text:
        return "\n".join(line[:200] for line in complaints[:TAIL_LINES])
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])


def add_gtest(counts, path, program):
    """Returns how many of the program's cases failed."""
    failed = 0
    suites = json.loads(path.read_text(errors="replace"))["testsuites"]
    says_itself = any("database" in case for suite in suites for case in suite["testsuite"])
    for suite in suites:
        for case in suite["testsuite"]:
            # Where cases say which database they had, only those count for one, and those whose own name tells.
            own = f"{suite['name']}.{case['name']}"
            name = f"{program}: {own}"
            told = own if says_itself else name
            database = case.get("database") or next((known for known in DATABASES if known in told.lower()), "none")
            key = (path.parent.name.split(".")[0], program, own)
            counts.cases[key] = (False, database)
            if case.get("failures"):
                counts.add("failed", name, last_lines("\n".join(failure["failure"] for failure in case["failures"])), database=database)
                failed += 1
            elif case.get("status") == "NOTRUN" or case.get("result") in ("SKIPPED", "SUPPRESSED"):
                counts.add("skipped", name, database=database)
                counts.cases[key] = (True, database)
            else:
                counts.add("passed", name, database=database)
    return failed


def add_node(counts, name, output, database=""):
    """Counts node's closing lines (reporters tap and spec); returns None if there are none."""
    found = re.findall(r"^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)\s*$", output, re.M)
    if not found:
        return None
    totals = {}
    for key, value in found:
        totals[key] = totals.get(key, 0) + int(value)
    failed = totals.get("fail", 0) + totals.get("cancelled", 0)
    names = re.findall(r"^\s*not ok \d+ - (.*?)(?:\s+#.*)?$", output, re.M) or re.findall(r"^\s*✖ (.*)$", output, re.M)
    blocks = re.findall(r"^\s*not ok \d+ - .*?(?=^\s*(?:not )?ok \d+ |^\s*1\.\.\d+$|\Z)", output, re.M | re.S)
    counts.add("passed", name, weight=totals.get("pass", 0), database=database)
    counts.add("skipped", name, weight=totals.get("skipped", 0) + totals.get("todo", 0), database=database)
    if failed:
        text = "\n".join("\n".join(block.rstrip().splitlines()[:TAIL_LINES]) for block in blocks[:5]) or last_lines(output)
        counts.add("failed", f"{name}: {'; '.join(dict.fromkeys(names))}", text, weight=failed, database=database)
    return failed


def add_plain(counts, name, output):
    found = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", output, re.M)
    if not found:
        return None
    passed, failed, skipped = found[-1]
    counts.add("passed", name, weight=int(passed))
    counts.add("skipped", name, weight=int(skipped or 0))
    if int(failed):
        counts.add("failed", name, last_lines(output), weight=int(failed))
    return int(failed)


def add_ctest(counts, folder):
    commands = {}
    if (folder / "tests.json").exists():
        listing = (folder / "tests.json").read_text()
        commands = {test["name"]: test.get("command", [""]) for test in json.loads(listing or "{}").get("tests", [])}
    seen = set()
    for case in xml.parse(folder / "ctest.xml").getroot().iter("testcase"):
        name, output = case.get("name"), case.findtext("system-out") or ""
        program = pathlib.PurePath((commands.get(name) or [""])[0]).name
        reports = [path for path in sorted(folder.glob(f"{program}*.json")) if re.fullmatch(rf"{re.escape(program)}(_\d+)?", path.stem)]
        failed = None
        if program and reports and program not in seen:
            seen.add(program)
            failed = sum(add_gtest(counts, path, program) for path in reports)
        elif not reports:
            # A test that has a sister on a server is the one on files.
            database = "sqlite" if any(f"{name}_{server}" in commands for server in SERVERS) else ""
            failed = add_node(counts, name, output, database)
            if failed is None:
                failed = add_plain(counts, name, output)
        bad = case.get("status") not in ("run", "disabled")
        if bad and not failed:
            counts.add("failed", f"{name} ended badly{last_case(output)}", last_lines(output))
        elif failed is None and program not in seen:
            counts.add("skipped" if case.get("status") == "disabled" else "passed", name)


def last_case(output):
    """The GoogleTest case that a crashed or hung program was in."""
    running = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
    ended = set(re.findall(r"^\[(?:       OK |  FAILED  |  SKIPPED )\] (\S+)", output, re.M))
    return f" in {running[-1]}" if running and running[-1].rstrip(",") not in ended else ""


def add_checks(counts, folder):
    for line in (folder / "checks.tsv").read_text().splitlines():
        verdict, name, detail = (line.split("\t") + ["", ""])[:3]
        log = pathlib.Path(detail)
        is_log = detail and "\\n" not in detail and log.is_file()
        counts.add(verdict, name, last_lines(log.read_text(errors="replace") if is_log else detail.replace("\\n", "\n")))


def counts_of(part):
    folder, counts = RESULTS / part, Counts()
    if (folder / "ctest.xml").exists():
        add_ctest(counts, folder)
    if (folder / "node.log").exists():
        output = (folder / "node.log").read_text(errors="replace")
        if add_node(counts, part, output) is None:
            add_plain(counts, part, output)
    if (folder / "checks.tsv").exists():
        add_checks(counts, folder)
    return counts


def parts():
    for line in (RESULTS / "parts.tsv").read_text().splitlines():
        stage, part, budget, seconds, status = line.split("\t")
        yield stage, part, int(budget), int(seconds), int(status)


def slowest_units():
    """The ten slowest compilations that the release build's log holds (from the compiler's cache they take no time)."""
    log = pathlib.Path("build/release/.ninja_log")
    if not log.exists():
        return []
    times = {}
    for line in log.read_text().splitlines()[1:]:
        start, end, _, output, _ = line.split("\t")
        if output.endswith((".o", ".pch")) and "verify_interface" not in output:
            times[output] = (int(end) - int(start)) / 1000
    return sorted(times.items(), key=lambda item: -item[1])[:10]


def print_failures(counts):
    for name, tail in counts.failures[:SHOWN_FAILURES]:
        print(f"FAILED  {name}")
        for line in tail.splitlines():
            print(f"        {line[:300]}")
    if len(counts.failures) > SHOWN_FAILURES:
        print(f"… and {len(counts.failures) - SHOWN_FAILURES} more; all of them are in build/logs/")


def print_databases(counts):
    """False if the drivers' contract is not the same list everywhere; a driver that the build leaves out has none of it."""
    print("\ndatabase   cases run  skipped  of them the drivers' contract")
    for database, (run, skipped) in counts.databases.items():
        print(f"{database:<10} {run:>9} {skipped:>8}  {counts.of_contract(database):>29}")
    if len({counts.of_contract(database) for database in counts.databases} - {0}) <= 1:
        return True
    print("the drivers' contract has more cases on one database than on another: give each the whole list")
    return False


def report_part(part):
    counts = counts_of(part)
    none = RESULTS / part / "no-targets"
    if none.exists():
        print("-- no targets")
        return
    for name, _ in counts.failures[:SHOWN_FAILURES]:
        print(f"   failed: {name}")
    print(f"-- {counts.line()}")


def report_all():
    rows, total = list(parts()), Counts()
    print("\nstage    part          minutes  budget  result")
    for stage, part, budget, seconds, status in rows:
        counts = counts_of(f"{stage}.{part}")
        total.merge(counts)
        none = (RESULTS / f"{stage}.{part}" / "no-targets").exists()
        late = "  over budget" if budget and seconds > budget * 60 else ""
        print(f"{stage:<8} {part:<13} {seconds / 60:>7.1f} {budget or '':>7}  {'no targets' if none else counts.line()}{late}")
    print(f"{'all':<22} {sum(row[3] for row in rows) / 60:>7.1f} {sum(row[2] for row in rows) or '':>7}")
    equal = True
    if any(stage == "release" for stage, *_ in rows):
        print("\nslowest translation units of the release build")
        for output, seconds in slowest_units():
            print(f"{seconds:>6.1f} s  {output}")
        total.add_sqlite_twins()
        equal = print_databases(total)
    if total.failures:
        print()
        print_failures(total)
    print()
    print(total.line())
    sys.exit(1 if total.failed or any(row[4] for row in rows) or not total.passed or not equal else 0)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--part")
    options.add_argument("--has-failure")
    options.add_argument("--all", action="store_true")
    args = options.parse_args()
    if args.has_failure:
        sys.exit(0 if counts_of(args.has_failure).failed else 1)
    if args.part:
        report_part(args.part)
    if args.all:
        report_all()


main()
