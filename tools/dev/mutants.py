"""Switches on each planted defect and requires that its test notices.

The list has a line `name program gtest_filter` per defect; `x_postgres_test` is x_test on that database. Each filter must pass without the defect, and the names in the
list must be exactly those that the sources ask for with core::mutant("name").
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

TIMEOUT_SECONDS = 120


def read_list(path):
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if words and len(words) != 3:
            sys.exit(f"{path}:{number}: expected 'name program gtest_filter', found: {line}")
        if words:
            rows.append(tuple(words))
    return rows


def planted_names():
    pattern = re.compile(r'\bmutant\("([a-z0-9_]+)"\)')
    names = set()
    for source in sorted(pathlib.Path("sluice").rglob("*.[ch]pp")):
        if source.stem.endswith("_test"):
            continue
        code = re.sub(r"//[^\n]*", "", source.read_text())
        names.update(pattern.findall(code))
    return names


def run(program, gtest_filter, mutant):
    """passed, failed, hung or empty (the filter selects no test)."""
    environment = {key: value for key, value in os.environ.items() if key not in ("SLUICE_MUTANT", "GTEST_OUTPUT")}
    # The link of sluice_on_database: the same program on a server.
    database = re.search(r"_(postgres|mariadb)_test$", program)
    if database:
        environment["SLUICE_TEST_DATABASE"] = database[1]
    if mutant:
        environment["SLUICE_MUTANT"] = mutant
    try:
        done = subprocess.run([program, f"--gtest_filter={gtest_filter}"], env=environment, timeout=TIMEOUT_SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "hung"
    if b"Running 0 tests" in done.stdout:
        return "empty"
    return "passed" if done.returncode == 0 else "failed"


def judge(row, programs, controls):
    """What is wrong, or None when the test notices the defect."""
    name, program, gtest_filter = row
    if program not in programs:
        return "its program is not built"
    if controls[row[1:]] != "passed":
        return f"without the defect the test {controls[row[1:]]}"
    outcome = run(programs[program], gtest_filter, name)
    return None if outcome in ("failed", "hung") else "the test still passes: the mutant lives"


def judge_all(rows, programs, planted):
    """A problem or None for each row, in their order; as many programs at a time as the machine has cores."""
    jobs = int(os.environ.get("DEV_JOBS", 0)) or os.cpu_count()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        tests = sorted({row[1:] for row in rows if row[1] in programs})
        controls = dict(zip(tests, pool.map(lambda test: run(programs[test[0]], test[1], None), tests)))
        yield from pool.map(lambda row: judge(row, programs, controls) if row[0] in planted else "no source asks for it", rows)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=pathlib.Path, required=True)
    options.add_argument("--list", type=pathlib.Path, required=True)
    options.add_argument("--results", type=pathlib.Path)
    args = options.parse_args()

    rows = read_list(args.list)
    programs = {path.name: str(path) for path in args.build.rglob("*_test") if path.is_file()}
    listed, planted = {row[0] for row in rows}, planted_names()
    problems, lines = 0, []
    for (name, program, gtest_filter), problem in zip(rows, judge_all(rows, programs, planted)):
        lines.append(("failed" if problem else "passed", name, problem or ""))
        print(f"{'LIVES ' if problem else 'caught'}  {name:44} {program} {gtest_filter}{'  ' + problem if problem else ''}", flush=True)
        problems += bool(problem)
    for name in sorted(planted - listed):
        lines.append(("failed", name, "planted, but not in the list"))
        print(f"LIVES   {name:44} planted, but not in {args.list}")
        problems += 1
    print(f"mutants: {len(lines) - problems} caught / {len(lines)} total")
    if args.results:
        with args.results.open("a") as results:
            results.writelines(f"{verdict}\tmutant {name}\t{detail}\n" for verdict, name, detail in lines)
    sys.exit(1 if problems or not lines else 0)


main()
