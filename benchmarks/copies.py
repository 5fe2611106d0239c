"""A policy to k copies of itself in one module: each name gets a number, nothing is shared but time."""

from __future__ import annotations

import re

DECLARED = re.compile(
    r"""^\s*(?:fair\s+)?(?:
        (?:const|param|entity|group|enum|action|invariant|lemma|step|assert|reachable|eventually|define|predicate)\s+(\w+)
        |state\s+([\w\s,]+?)\s*:
    )""",
    re.VERBOSE | re.MULTILINE,
)
CASES = re.compile(r"^\s*enum\s+\w+\s*\{([^}]*)\}", re.MULTILINE)
WORD = re.compile(r'"[^"\n]*"|///?[^\n]*|[A-Za-z_]\w*')
HEAD = re.compile(r"\A(?:\s*///[^\n]*\n)*\s*module\s+\S+[^\n]*\n")
TEST = re.compile(r'^test\s+"([^"]*)"', re.MULTILINE)
TESTS = re.compile(r'^test\s+"[^"]*"\s*\{.*?^\}\n', re.MULTILINE | re.DOTALL)
REMARK = re.compile(r"^\s*//[^\n]*\n", re.MULTILINE)


def declared(text: str) -> frozenset[str]:
    """The names that `text` declares, without those of inputs and of what is bound."""
    names: set[str] = set()
    for one, several in DECLARED.findall(text):
        names.update([one] if one else (n.strip() for n in several.split(",")))
    for cases in CASES.findall(text):
        names.update(c.strip() for c in cases.split(",") if c.strip())
    return frozenset(names)


def bare(text: str) -> str:
    """`text` with its first test only, no remarks and no columns: a file has an upper limit of characters."""
    tests = TESTS.findall(text)
    less = REMARK.sub("", TESTS.sub("", text) + "".join(tests[:1]))
    return re.sub(r" {2,}", " ", re.sub(r"\s*\n\s*", "\n", less))


def copies(text: str, count: int, module: str = "copies") -> str:
    """`count` copies of the module in `text`, which must not import anything."""
    body = HEAD.sub("", text)
    names = declared(body)
    parts = [f"module {module}\n"]
    for i in range(count):

        def renamed(found: re.Match[str], number: int = i) -> str:
            word = found.group()
            apart = "_" if word[-1].isdigit() else ""
            return f"{word}{apart}{number}" if word in names else word

        parts.append(TEST.sub(rf'test "\1 ({i})"', WORD.sub(renamed, body)))
    return "\n".join(parts)
