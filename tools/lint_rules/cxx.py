"""A rough reader of C++: blanks comments and literals, then pairs braces and says what each opens.

It knows no types and expands no macros; what it cannot tell it takes for an initializer, which no rule punishes by itself.
"""
import bisect
import dataclasses
import re

_SKIP = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
_MARK = re.compile(r"[{}();]")
_LAMBDA = re.compile(
    r"(?:^|[^\w)\]\s]|\breturn|\bco_return|\bco_await|[=(,{&|!?:]\s)\s*(\[(?!\[)[^\[\]]*\])\s*(?:<[^{}]*?>\s*)?"
    r"(?:\((?:[^(){}]|\((?:[^(){}]|\([^(){}]*\))*\)|\{[^{}]*\})*\)\s*)?(?:mutable\b\s*|noexcept\b\s*|constexpr\b\s*|->[^{}();]+)*$")
_CONTROL = re.compile(r"^(?:else\s+)?(?:if|for|while|switch|catch)\b|^(?:else|do|try)\s*$")
_TYPE = re.compile(r"^(?:typedef\s+)?(?:class|struct|union|enum)\b")
_PREFIX = re.compile(r"^(?:(?:public|private|protected)\s*:(?!:)|template\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>|"
                     r"[A-Z][A-Z0-9_]+\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*(?=[A-Za-z\[])|"
                     r"requires\s+[\w:]+\s*<(?:[^<>]|<[^<>]*>)*>|\[\[[^\]]*\]\]|\s)+")
_MEMBER_INIT = re.compile(r"\)\s*(?:noexcept\s*(?:\([^()]*\)\s*)?)?:(?!:)")


def _blank(match):
    text = match.group(0)
    inner = re.sub(r"[^\n]", " ", text)
    return '"' + inner[1:-1] + '"' if text[0] in "\"R'" and len(text) > 1 else inner


@dataclasses.dataclass
class Frame:
    """A pair of braces: file, namespace, type, function, control, block, lambda or init."""
    kind: str
    head: str
    head_start: int
    open: int
    parent: "Frame"
    close: int = -1
    parens: int = 0

    def nearest(self, *kinds):
        frame = self
        while frame is not None and frame.kind not in kinds:
            frame = frame.parent
        return frame


@dataclasses.dataclass
class Statement:
    """A full expression with its `;`, or the head of a control block; nested lambda bodies are inside its range."""
    start: int
    end: int
    frame: Frame


class Scan:
    def __init__(self, text):
        self.code = _SKIP.sub(_blank, text)
        self.frames = []
        self.statements = []
        self._read(_DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), self.code))

    def _read(self, code):
        self.plain = code
        top = current = Frame("file", "", 0, -1, None)
        start = 0
        for mark in _MARK.finditer(code):
            char, at = mark.group(0), mark.start()
            if char == "(":
                current.parens += 1
            elif char == ")":
                current.parens -= 1
            elif char == ";":
                if current.parens <= 0 and current.kind != "init":
                    self.statements.append(Statement(start, at, current))
                    start = at + 1
            elif char == "{":
                head = code[start:at]
                kind = self._kind(_PREFIX.sub("", head.strip()), head, current)
                frame = Frame(kind, head.strip(), start, at, current)
                self.frames.append(frame)
                if kind == "control":
                    self.statements.append(Statement(start, at, current))
                frame.resume = start
                if kind != "init":
                    start = at + 1
                current = frame
            elif current.parent is not None:
                current.close = at
                start = current.resume if current.kind in ("init", "lambda") else at + 1
                current = current.parent
        top.close = len(code)
        self._opens = [frame.open for frame in self.frames]

    @staticmethod
    def _kind(head, raw, current):
        last = raw.rstrip()[-1:]
        if _LAMBDA.search(raw):
            return "lambda"
        if current.parens > 0 or current.kind == "init" or last in ("=", ",", "(", "["):
            return "init"
        if re.search(r"\bnamespace\b|\bextern\s*\"", head):
            return "namespace"
        if _TYPE.match(head):
            return "type"
        if current.kind in ("file", "namespace", "type"):
            if "(" not in head or (_MEMBER_INIT.search(head) and re.search(r"[\w>]$", head)):
                return "init"
            return "function"
        if _CONTROL.match(head):
            return "control"
        if not head or last == ":" or re.match(r"(?:case|default)\b", head):
            return "block"
        return "init"

    def statement_text(self, statement):
        """The statement with the bodies of its lambdas blanked: what is evaluated as one full expression."""
        text = list(self.plain[statement.start:statement.end])
        for frame in self.frames_in(statement.start, statement.end, "lambda"):
            if 0 <= frame.close < statement.end:
                for index in range(frame.open + 1 - statement.start, frame.close - statement.start):
                    if text[index] != "\n":
                        text[index] = " "
        return "".join(text)

    def frames_in(self, start, end, kind):
        """The frames of one kind that open between two offsets."""
        for frame in self.frames[bisect.bisect_left(self._opens, start):bisect.bisect_left(self._opens, end)]:
            if frame.kind == kind:
                yield frame

    def enclosing_namespace(self, frame):
        names = []
        while frame is not None:
            if frame.kind == "namespace":
                match = re.search(r"namespace\s+([\w:]+)", frame.head)
                names.append(match.group(1) if match else "")
            frame = frame.parent
        return "::".join(reversed(names))


def balanced(text, start):
    """Offset just behind the parenthesis that closes the one at `start`."""
    depth = 0
    for match in re.finditer(r"[()]", text[start:]):
        depth += 1 if match.group(0) == "(" else -1
        if depth == 0:
            return start + match.end()
    return len(text)


def split_top(text, separator):
    """Splits at separators outside of parentheses, braces and angle brackets."""
    parts, depth, begin = [], 0, 0
    previous = ""
    for index, char in enumerate(text):
        if char in "([{" or (char == "<" and separator == "," and re.match(r"\w", previous)):
            depth += 1
        elif char in ")]}" or (char == ">" and separator == "," and previous != "-" and depth > 0):
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
        if not char.isspace():
            previous = char
    parts.append(text[begin:])
    return parts


def parameters(head):
    """The name and parameters of a function's head, or None if it is none that we can read."""
    for match in re.finditer(r"([~\w:]+)\s*\(", head):
        name = match.group(1).split("::")[-1]
        before = head[:match.start()]
        if name in ("noexcept", "decltype", "requires", "alignas", "explicit", "sizeof", "if", "while", "return", "static_assert"):
            continue
        if before.count("<") - before.count("->") > before.count(">") - before.count("->") or "operator" in before or "=" in before:
            return None
        if re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
            return None
        opening = match.end() - 1
        inside = head[opening + 1:balanced(head, opening) - 1].strip()
        return name, [] if inside in ("", "void") else split_top(inside, ",")
    return None
