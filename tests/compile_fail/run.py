"""A type that misses part of a contract must fail to compile, with a message that names the part.

Each file here is one case. Lines `// expect: REGEX` are searched in the compiler's output. The defect stands in the #else of
`#ifdef MENDED`: with -DMENDED the same file must compile, so nothing but the defect is what the compiler refuses.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

FLAGS = ["-std=c++23", "-fsyntax-only", "-DBOOST_ASIO_SEPARATE_COMPILATION", "-DBOOST_ASIO_NO_DEPRECATED"]


def compiles(args, case, *extra):
    done = subprocess.run([args.compiler, *FLAGS, *extra, f"-I{args.root}", str(case)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=300)
    return done.returncode == 0, done.stdout


def judge(args, case):
    """What is wrong with a case, or None."""
    text = case.read_text()
    expected = [line.strip() for line in re.findall(r"^// expect: (.+)$", text, re.M)]
    if not expected or "#ifdef MENDED" not in text:
        return "needs a line '// expect: REGEX' and an '#ifdef MENDED'"
    good, output = compiles(args, case, "-DMENDED")
    if not good:
        return "does not compile with -DMENDED:\n" + output[:2000]
    good, output = compiles(args, case)
    if good:
        return "compiles, but must not"
    missing = [regex for regex in expected if not re.search(regex, output)]
    return f"the compiler does not say: {missing}\n{output[:2000]}" if missing else None


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--compiler", required=True)
    options.add_argument("--root", required=True)
    args = options.parse_args()
    cases = sorted(pathlib.Path(__file__).parent.glob("*.cpp"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda case: judge(args, case), cases))
    failed = 0
    for case, problem in zip(cases, verdicts):
        print(f"not ok {case.name}: {problem}" if problem else f"ok {case.name}")
        failed += problem is not None
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not cases else 0)


main()
