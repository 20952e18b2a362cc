#!/usr/bin/env python3
"""Layering and style of the C++ sources: what the compiler cannot say.

    python3 tests/lint/layering.py [ROOT]     exit 0: no error (there may be warnings), 1: errors
    python3 tests/lint/layering.py --rules    what is checked

A line that must break a rule says why: `// lint: RULE because ...` on the line itself or on the one above it.
"""

import pathlib
import re
import sys

FOLDERS = ("core", "log", "state", "producer", "consumers", "tests", "bench", "bindings", "examples")
SUFFIXES = (".h", ".cc")
LINE_COLUMNS_MAX = 120
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

# Which folders a folder may include from; a folder that is not named here may include from all.
DEPENDS_ON = {
    "schemas": (),
    "core": ("core", "schemas"),
    "log": ("log", "core"),
    "state": ("state", "core"),
    "producer": ("producer", "odometer", "log", "core"),  # odometer/: its public headers, in producer/include
    "consumers": ("consumers", "log", "state", "core"),
}

# A library, by the beginning of its include, and the only places that may name it.
LIBRARIES = {
    "rocksdb/": ("state/", "bench/", "tests/simulation/", "tests/unit/state/"),
    "flatbuffers/": ("core/", "tests/compat/", "tests/fuzz/", "tests/unit/core/"),
    "schemas/": ("core/", "tests/compat/", "tests/fuzz/"),
    "librdkafka/": ("log/", "tests/integration/", "tests/unit/log/", "bench/"),
    "spdlog/": ("consumers/",),
    "fmt/": ("consumers/", "tests/", "bench/"),
    "boost/": ("consumers/", "tests/integration/", "bench/"),
    "simdjson": ("consumers/", "bench/"),
    "nlohmann/": ("consumers/", "producer/", "tests/", "bench/", "examples/"),
    "CLI/": ("consumers/", "tests/", "bench/"),
    "toml++/": ("consumers/",),
    "prometheus/": ("consumers/",),
    "curl/": ("consumers/", "producer/", "tests/integration/", "bench/"),
    "gtest/": ("tests/",),
    "gmock/": ("tests/",),
    "benchmark/": ("bench/",),
}

# What a pure fold must not have in it: (pattern, the rule, where).
PURE = ("core/", "state/")
FORBIDDEN = [
    (r"\b(float|double)\b", "float", PURE, "integers only: money and figures are exact"),
    (r"\bsystem_clock\b|\bhigh_resolution_clock\b", "clock", PURE + ("log/",), "take a Clock& (core/time.h)"),
    (r"\brandom_device\b|\bs?rand\s*\(", "random", PURE, "a fold is pure: no randomness"),
    (r"\bunordered_(map|set|multimap|multiset)\b", "unordered", PURE, "hash order is not the same everywhere"),
    (r"\bGTEST_SKIP\b", "skip", ("",), "a test that does not run proves nothing"),
    (r"\bDISABLED_\w", "skip", ("",), "a test that does not run proves nothing"),
]
# The only files that may name the machine's clock.
CLOCK_FILES = ("core/time.cc",)


class Report:
    def __init__(self):
        self.errors = []
        self.warnings = []

    def error(self, path, line, rule, text):
        self.errors.append(f"{path}:{line}: {rule}: {text}")

    def warn(self, path, line, rule, text):
        self.warnings.append(f"{path}:{line}: warning: {rule}: {text}")


def strip_literals(source):
    """The source with comments, strings and characters blanked, every line and column where it was."""
    pattern = re.compile(
        r'R"(?P<tag>[^(\s]{0,16})\(.*?\)(?P=tag)"'
        r"|//[^\n]*|/\*.*?\*/"
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
        re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def is_excused(lines, index, rule):
    """lines[index] or the line above it says `lint: RULE because`."""
    mark = f"lint: {rule} because "
    return mark in lines[index] or (index > 0 and mark in lines[index - 1])


def check_includes(path, lines, report):
    folder = path.split("/")[0]
    for index, line in enumerate(lines):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match or is_excused(lines, index, "layering"):
            continue
        target = match.group(2)
        for library, places in LIBRARIES.items():
            if target.startswith(library) and not path.startswith(places):
                report.error(path, index + 1, "layering", f"{target} belongs in {', '.join(places)} only")
        if match.group(1) == "<" or folder not in DEPENDS_ON or target.startswith("schemas/"):
            continue
        if "/" not in target:
            report.error(path, index + 1, "layering", f'include from the root: "{folder}/{target}"?')
        elif target.split("/")[0] not in DEPENDS_ON[folder]:
            report.error(path, index + 1, "layering", f"{folder}/ may not include {target}")


def check_forbidden(path, lines, code_lines, report):
    for index, code in enumerate(code_lines):
        for pattern, rule, places, why in FORBIDDEN:
            if not path.startswith(places) or (rule == "clock" and path in CLOCK_FILES):
                continue
            match = re.search(pattern, code)
            if match and not is_excused(lines, index, rule):
                report.error(path, index + 1, rule, f"{match.group().strip()}: {why}")


def check_text(path, lines, report):
    for index, line in enumerate(lines):
        if "\t" in line:
            report.error(path, index + 1, "tab", "indent with spaces")
        if line != line.rstrip():
            report.error(path, index + 1, "space", "space at the end of the line")
        if len(line) > LINE_COLUMNS_MAX:
            report.error(path, index + 1, "columns", f"{len(line)} columns; at most {LINE_COLUMNS_MAX}")
    if len(lines) > FILE_LINES_MAX:
        report.warn(path, len(lines), "file", f"{len(lines)} lines; is it still one noun? aim for {FILE_LINES_MAX}")
    if path.endswith(".h") and not any(line.startswith("#pragma once") for line in lines):
        report.error(path, 1, "once", "a header starts with #pragma once")


# A brace that opens one of these holds declarations; any other brace behind a ")" opens a function's body.
HOLDER = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$")
FUNCTION = re.compile(r"\)\s*(const|noexcept|override|final|mutable|\s|->\s*[\w:<>,&*\s]+|:[^{]*)*$", re.DOTALL)


def check_functions(path, code, report):
    """Counts the lines of each outermost body that is not a namespace's or a type's."""
    stack = []  # (is a function, line of its brace)
    head_start = 0
    for match in re.finditer(r"[{};]", code):
        sign, at = match.group(), match.start()
        if sign == "{":
            head = code[head_start:at].strip()
            inside = any(is_function for is_function, _ in stack)
            is_function = not inside and not HOLDER.search(head) and bool(FUNCTION.search(head))
            stack.append((is_function, code.count("\n", 0, at) + 1))
        elif sign == "}" and stack:
            is_function, first = stack.pop()
            lines = code.count("\n", 0, at) + 1 - first
            if is_function and lines > FUNCTION_LINES_MAX:
                report.warn(path, first, "function", f"{lines} lines; at most {FUNCTION_LINES_MAX} fit a screen")
        head_start = match.end()


def check_file(path, source, report):
    """path is relative to the root, with slashes."""
    lines = source.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    code = strip_literals(source)
    check_includes(path, lines, report)
    check_forbidden(path, lines, code.split("\n"), report)
    check_text(path, lines, report)
    check_functions(path, code, report)


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and "node_modules" not in path.parts:
                yield path


def main(arguments):
    if arguments == ["--rules"]:
        print(__doc__)
        for folder, others in DEPENDS_ON.items():
            print(f"{folder} includes: {', '.join(others) or 'nothing'}")
        for library, places in LIBRARIES.items():
            print(f"{library} only in {', '.join(places)}")
        for _, rule, places, why in FORBIDDEN:
            print(f"{rule}: {why} ({', '.join(place or 'everywhere' for place in places)})")
        return 0
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2])
    report = Report()
    count = 0
    for path in sources(root):
        count += 1
        check_file(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"), report)
    for line in report.warnings + report.errors:
        print(line)
    print(f"{count} files, {len(report.errors)} errors, {len(report.warnings)} warnings")
    if count == 0:
        print("no source was found: is the root right?")
        return 1
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
