"""A build without a server's driver (-DSLUICE_POSTGRES=OFF, -DSLUICE_MARIADB=OFF) is whole, although only a few files are compiled for it.

Configures a build of that kind (without the driver's library in sight), compiles what it compiles otherwise than the build at hand, and looks
at the objects of both: none of those that both builds have may need what only the other files define.

Ends with "N passed, N failed, N skipped", which tools/dev/report.py counts.
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Driver: the option that leaves it out and the package that CMake then must not need.
DRIVERS = {"postgres": ("SLUICE_POSTGRES", "PostgreSQL"), "mariadb": ("SLUICE_MARIADB", "MariaDB")}


def configure(args, folder):
    option, package = DRIVERS[args.driver]
    words = ["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", *(f"-D{each}" for each in args.define),
             f"-D{option}=OFF", f"-DCMAKE_DISABLE_FIND_PACKAGE_{package}=ON"]
    return subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def commands(folder):
    """{object: (source, words)} with the folder's name taken out; objects are named from the folder."""
    found = {}
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"].replace(str(folder), "BUILD"))
        output = words[words.index("-o") + 1]
        if output.endswith(".o") and "verify_interface" not in output:
            found[output] = (entry["file"], words)
    return found


def system_folders(words):
    return {words[index + 1] for index, word in enumerate(words) if word == "-isystem"}


def without(words, folders):
    """The words but those that make a compiler look into the folders."""
    dropped = {index + step for index, word in enumerate(words) if word == "-isystem" and words[index + 1] in folders for step in (0, 1)}
    return [word for index, word in enumerate(words) if index not in dropped]


def readers_of(build, folders):
    """Objects of the build whose sources include something from the folders, by ninja's own books."""
    listing = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], text=True, stdout=subprocess.PIPE, check=True).stdout
    readers, target = set(), ""
    for line in listing.splitlines():
        if line.startswith(" "):
            if any(line.strip().startswith(f"{folder}/") for folder in folders):
                readers.add(target)
        elif ": #deps" in line:
            target = line.split(": #deps")[0]
    return readers


def otherwise_compiled(build, here, there):
    """The objects of the other build that another command makes, or that read what is gone with the driver's library."""
    folders = [set().union(*(system_folders(words) for _, words in objects.values())) for objects in (here, there)]
    gone = folders[0] - folders[1]
    readers = readers_of(build, gone)
    return [output for output in there
            if output not in here or output in readers or there[output][1] != without(here[output][1], gone)]


def compile_here(build, other, output, words):
    """With the precompiled header of the build at hand, which has the same flags."""
    target = other / output
    target.parent.mkdir(parents=True, exist_ok=True)
    words = [word.replace("BUILD", str(build)) for word in words]
    words[words.index("-o") + 1] = str(target)
    return subprocess.run(words, cwd=build, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def symbols(nm, objects):
    """What the objects define and what they leave open: {symbol: object}."""
    defined, wanted = {}, {}
    if not objects:
        return defined, wanted
    listing = subprocess.run([nm, "--print-file-name", "--format=posix", *map(str, objects)], text=True, stdout=subprocess.PIPE, check=True).stdout
    for line in listing.splitlines():
        place, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        (wanted if kind in "Uvw" else defined).setdefault(name, place)
    return defined, wanted


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("driver", choices=sorted(DRIVERS))
    options.add_argument("--build", type=pathlib.Path, required=True)
    options.add_argument("--nm", default="nm")
    options.add_argument("--define", action="append", default=[])
    args = options.parse_args()
    other = args.build / f"without_{args.driver}"
    failures, passed = [], 0

    def check(name, problem):
        nonlocal passed
        passed += not problem
        if problem:
            failures.append(f"{name}:\n{problem}")

    configured = configure(args, other)
    check("it is configured without the driver's library", configured.returncode and configured.stdout[-2000:])
    if configured.returncode == 0:
        here, there = commands(args.build), commands(other)
        changed = otherwise_compiled(args.build, here, there)
        check("something depends on the option", not changed and "no file is compiled otherwise")
        for output in changed:
            done = compile_here(args.build, other, output, there[output][1])
            check(f"{there[output][0]} compiles", done.returncode and done.stdout[-2000:])
        same = [args.build / output for output in there if output not in changed and (args.build / output).exists()]
        left_out = [args.build / output for output in here if output not in there and (args.build / output).exists()]
        compiled = [other / output for output in changed if (other / output).exists()]
        gone, _ = symbols(args.nm, left_out)
        kept, wanted = symbols(args.nm, same + compiled)
        missing = sorted(f"{place} needs {name}" for name, place in wanted.items() if name in gone and name not in kept)
        check("nothing needs what is left out", "\n".join(missing[:20]))
        print(f"{len(there)} objects, {len(here.keys() - there.keys())} fewer; {len(changed)} compiled anew, {len(same)} looked at, "
              f"{len(gone)} symbols left out")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{passed} passed, {len(failures)} failed, 0 skipped")
    sys.exit(1 if failures else 0)


main()
