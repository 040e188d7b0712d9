"""Checks every fenced block of README.md and docs/: code is compiled, commands are run, data is parsed, quotations are verbatim.

A block is one of these; anything else fails. A comment on the line above its fence says what it quotes:
    <!-- whole: PATH -->     it is the whole of that file, which the build compiles or the suite runs
    <!-- part of: PATH -->   it is a verbatim part of that file (indentation apart)
    ```cpp                   without such a comment: compiled as a file of its own
    ```sh                    run line by line against a started example server; `./dev …` lines are only checked against ./dev help
    ```console               `$ command` lines are run likewise, and the lines between must be what they print (… stands for anything)
    ```ts                    without such a comment: type-checked as if it stood in web/, where the client is ./client
    ```js                    without such a comment: read by node as a module, not run
    ```json, ```toml         parsed
    ```text                  a drawing or an output, taken as it is
Relative links must lead to a file.
"""
import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import tomllib

FLAGS = ["-std=c++23", "-fsyntax-only", "-DBOOST_ASIO_SEPARATE_COMPILATION", "-DBOOST_ASIO_NO_DEPRECATED"]
SERVER = "127.0.0.1:8080"
COMMAND_SECONDS = 30
START_SECONDS = 20


@dataclasses.dataclass
class Block:
    path: pathlib.Path
    line: int
    kind: str
    directive: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line} {self.kind or 'no language'}"


class Wrong(Exception):
    pass


def blocks_of(path):
    lines = path.read_text().splitlines()
    index = 0
    while index < len(lines):
        fence = re.match(r"^(\s*)(```+|~~~+)\s*([\w+-]*)", lines[index])
        if not fence:
            index += 1
            continue
        above = next((line for line in reversed(lines[:index]) if line.strip()), "")
        directive = re.match(r"^\s*<!--\s*(.+?)\s*-->\s*$", above)
        start = index
        index += 1
        while index < len(lines) and lines[index].strip() != fence.group(2):
            index += 1
        body = textwrap.dedent("\n".join(lines[start + 1:index])) + "\n"
        yield Block(path, start + 1, fence.group(3), directive.group(1) if directive else "", body)
        index += 1


def check_quotation(block):
    """True if the block quotes a file and does so truly."""
    match = re.match(r"(whole|part of): (\S+)$", block.directive)
    if not match:
        return False
    source = pathlib.Path(match.group(2))
    if not source.is_file():
        raise Wrong(f"quotes {source}, which does not exist")
    text = source.read_text()
    if match.group(1) == "whole":
        if text.strip() != block.text.strip():
            raise Wrong(f"differs from {source}")
        return True
    want = [line.strip() for line in block.text.strip().splitlines()]
    have = [line.strip() for line in text.splitlines()]
    if not any(have[at:at + len(want)] == want for at in range(len(have) - len(want) + 1)):
        raise Wrong(f"is no verbatim part of {source}")
    return True


def compile_block(block):
    done = subprocess.run(["clang++-19", *FLAGS, "-I.", "-x", "c++", "-"], input=block.text, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Wrong("does not compile:\n" + done.stdout[:1500])


def check_types(block):
    with tempfile.TemporaryDirectory(dir="web", prefix=".docs-") as folder:
        here = pathlib.Path(folder)
        (here / "client").symlink_to("../client")
        (here / "tsconfig.json").write_text('{"extends": "../tsconfig.json", "include": ["*.ts"]}')
        (here / "untyped.d.ts").write_text("declare module 'ws';\n")
        (here / "block.ts").write_text(block.text)
        done = subprocess.run(["web/node_modules/.bin/tsc", "-p", folder, "--noEmit"], text=True, timeout=120, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    if done.returncode:
        raise Wrong("does not type-check:\n" + done.stdout[:1500])


def read_script(block, home):
    script = home / "block.mjs"
    script.write_text(block.text)
    done = subprocess.run(["node", "--check", str(script)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Wrong("is no JavaScript:\n" + done.stdout[:800])


def parse_data(block):
    try:
        if block.kind == "toml":
            tomllib.loads(block.text)
            return
        try:
            json.loads(block.text)
        except ValueError:
            for line in filter(str.strip, block.text.splitlines()):
                json.loads(line)
    except ValueError as problem:
        raise Wrong(f"is no {block.kind.upper()}: {problem}") from None


class Server:
    """The example server on a free port, started when the first command needs it."""

    def __init__(self, build):
        self.program = build / "examples/orders/orders"
        self.address = None

    def start(self, stack):
        if self.address:
            return
        if not self.program.is_file():
            raise Wrong(f"needs {self.program}, which is not built")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = stack.enter_context(tempfile.TemporaryDirectory())
        process = subprocess.Popen([str(self.program), "--port", str(port), "--admin-port", "0", "--data", data, "--web", "web/dist"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        stack.callback(self.stop, process)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{port}/readyz"], check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Wrong("the example server does not start")
            time.sleep(0.05)
        self.address = f"127.0.0.1:{port}"

    @staticmethod
    def stop(process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def commands_of(block):
    """(command, expected output lines or None) of a sh or console block."""
    joined = re.sub(r"\\\n\s*", " ", block.text)
    if block.kind == "sh":
        return [(line, None) for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    commands = []
    for line in joined.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands:
            commands[-1][1].append(line)
    return commands


def check_dev_line(command, help_text):
    words = re.sub(r"\s#.*", "", command).split()[1:]
    if words and not re.search(rf"^  {re.escape(words[0])}\b", help_text, re.M):
        raise Wrong(f"./dev help knows no '{words[0]}'")
    for word in words[1:]:
        if word.startswith("--") and word not in help_text:
            raise Wrong(f"./dev help knows no '{word}'")


def as_pattern(line):
    return ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\s*"


def run_command(command, expected, server, stack, home):
    server.start(stack)
    # A plain `sh` line must succeed, and curl tells success from an error page; a shown output may be an error on purpose.
    (home / ".curlrc").write_text("silent\nmax-time = 20\n" + ("fail-with-body\n" if expected is None else ""))
    done = subprocess.run(["bash", "-c", command.replace(SERVER, server.address)], text=True, errors="replace", timeout=COMMAND_SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          env={**os.environ, "CURL_HOME": str(home), "HOME": str(home)})
    output = done.stdout.replace(server.address, SERVER)
    if expected is None and done.returncode:
        raise Wrong(f"`{command}` ended with {done.returncode}: {output[:500]}")
    if expected is not None and not re.fullmatch(r"\n?".join(map(as_pattern, expected)), output.rstrip(), re.S):
        raise Wrong(f"`{command}` prints\n{output[:800]}\nbut the page shows\n" + "\n".join(expected))


def run_block(block, server, stack, home, help_text):
    for command, expected in commands_of(block):
        if command.startswith("./dev"):
            check_dev_line(command, help_text)
        elif not re.match(r"(?:git clone|cd) \S+", command):
            run_command(command, expected, server, stack, home)


def check_links(path):
    text = re.sub(r"^(\s*)(```+)[^\n]*\n.*?^\s*\2\s*$", "", path.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.split("#")[0]).exists():
            raise Wrong(f"links to {target}, which does not exist")


def check_block(block, server, stack, home, help_text):
    if check_quotation(block):
        return
    if block.kind == "cpp":
        compile_block(block)
    elif block.kind == "ts":
        check_types(block)
    elif block.kind == "js":
        read_script(block, home)
    elif block.kind in ("json", "toml"):
        parse_data(block)
    elif block.kind in ("sh", "console"):
        run_block(block, server, stack, home, help_text)
    elif block.kind != "text":
        raise Wrong("is of no kind that is checked: say what it quotes (tests/docs/check.py)")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that folders and the server go away
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=pathlib.Path, required=True)
    options.add_argument("--results", type=pathlib.Path)
    options.add_argument("pages", nargs="*", type=pathlib.Path)
    args = options.parse_args()
    pages = args.pages or [pathlib.Path("README.md"), *sorted(pathlib.Path("docs").rglob("*.md"))]
    help_text = subprocess.run(["./dev", "help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    blocks = [block for page in pages for block in blocks_of(page)]
    server, verdicts = Server(args.build), []

    def verdict(name, check, *parameters):
        try:
            check(*parameters)
            return name, None
        except (Wrong, subprocess.TimeoutExpired) as problem:
            return name, str(problem)

    with contextlib.ExitStack() as stack:
        home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        verdicts += [verdict(f"{page} links", check_links, page) for page in pages]
        alone = [block for block in blocks if block.kind != "cpp"]
        verdicts += [verdict(str(block), check_block, block, server, stack, home, help_text) for block in alone]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            compiled = [block for block in blocks if block.kind == "cpp"]
            verdicts += pool.map(lambda block: verdict(str(block), check_block, block, server, stack, home, help_text), compiled)

    failed = [name for name, problem in verdicts if problem]
    for name, problem in verdicts:
        print(f"not ok {name}: {problem}" if problem else f"ok {name}")
    if args.results:
        with args.results.open("a") as results:
            for name, problem in verdicts:
                detail = (problem or "").replace("\t", " ").replace("\n", "\\n")
                results.write(f"{'failed' if problem else 'passed'}\tdocs {name}\t{detail}\n")
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed else 0)


main()
