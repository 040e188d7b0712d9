"""Turns the JSON lines of a benchmark into a table; fails if there is none or one lacks a member."""
import json
import sys

MEMBERS = ("name", "value", "unit", "n", "against")

figures = 0
for line in sys.stdin:
    if not line.strip():
        continue
    try:
        figure = json.loads(line)
        name, value, unit, n, against = (figure[member] for member in MEMBERS)
    except (ValueError, KeyError, TypeError) as problem:
        sys.exit(f"not a figure: {line.strip()[:120]} ({problem!r})")
    print(f"{name:40} {value:>14.6g} {unit:<14} n={n:<9} {'against ' + str(against) if against else ''}".rstrip())
    figures += 1
if figures == 0:
    sys.exit("the benchmark printed no figure")
