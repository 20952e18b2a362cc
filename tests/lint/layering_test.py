#!/usr/bin/env python3
"""Each rule of layering.py catches what it is for, and leaves the innocent alone."""

import unittest

import layering


def errors(path, source):
    report = layering.Report()
    layering.check_file(path, source, report)
    return [error.split(": ")[1] for error in report.errors]


def warnings(path, source):
    report = layering.Report()
    layering.check_file(path, source, report)
    return [warning.split(": ")[2] for warning in report.warnings]


class Layering(unittest.TestCase):
    def test_a_folder_includes_only_what_it_may(self):
        self.assertEqual(errors("core/a.cc", '#include "log/event_log.h"\n'), ["layering"])
        self.assertEqual(errors("state/a.cc", '#include "consumers/runner.h"\n'), ["layering"])
        self.assertEqual(errors("state/a.cc", '#include "log/local_log.h"\n'), ["layering"])
        self.assertEqual(errors("log/a.cc", '#include "state/store.h"\n'), ["layering"])
        self.assertEqual(errors("consumers/http/a.cc", '#include "state/store.h"\n#include "log/event_log.h"\n'), [])
        self.assertEqual(errors("core/a.cc", '#include "time.h"\n'), ["layering"])

    def test_a_library_stays_where_it_belongs(self):
        self.assertEqual(errors("log/a.cc", "#include <rocksdb/db.h>\n"), ["layering"])
        self.assertEqual(errors("state/a.cc", "#include <rocksdb/db.h>\n"), [])
        self.assertEqual(errors("state/a.cc", "#include <flatbuffers/flatbuffers.h>\n"), ["layering"])
        self.assertEqual(errors("tests/unit/a.cc", '#include "schemas/event_generated.h"\n'), ["layering"])
        self.assertEqual(errors("tests/compat/a.cc", '#include "schemas/event_generated.h"\n'), [])
        self.assertEqual(errors("state/a.cc", "#include <spdlog/spdlog.h>\n"), ["layering"])

    def test_a_fold_has_no_float_clock_randomness_or_hash_order(self):
        self.assertEqual(errors("state/a.cc", "double d;\n"), ["float"])
        self.assertEqual(errors("core/a.h", "#pragma once\nfloat f;\n"), ["float"])
        self.assertEqual(errors("state/a.cc", "auto t = std::chrono::system_clock::now();\n"), ["clock"])
        self.assertEqual(errors("core/a.cc", "std::random_device r;\n"), ["random"])
        self.assertEqual(errors("state/a.cc", "std::unordered_map<int, int> m;\n"), ["unordered"])
        self.assertEqual(errors("consumers/a.cc", "std::unordered_map<int, double> m;\n"), [])

    def test_words_in_comments_and_strings_are_innocent(self):
        self.assertEqual(errors("state/a.cc", '// double\n/* float\n double */\nauto t = "double";\n'), [])
        self.assertEqual(errors("state/a.cc", "auto n = 1'000'000; double d;\n"), ["float"])
        self.assertEqual(errors("state/a.cc", 'auto t = R"x(a " double)x";\n'), [])

    def test_an_excuse_names_its_rule_and_a_reason(self):
        self.assertEqual(errors("state/a.cc", "double d;  // lint: float because of the library\n"), [])
        self.assertEqual(errors("state/a.cc", "double d;  // lint: float\n"), ["float"])
        self.assertEqual(errors("state/a.cc", "double d;  // lint: clock because of the library\n"), ["float"])

    def test_no_test_is_switched_off(self):
        self.assertEqual(errors("tests/unit/a.cc", "TEST(A, DISABLED_B) {}\n"), ["skip"])
        self.assertEqual(errors("tests/unit/a.cc", "void F() { GTEST_SKIP(); }\n"), ["skip"])

    def test_text_is_plain(self):
        self.assertEqual(errors("core/a.cc", "\tint a;\n"), ["tab"])
        self.assertEqual(errors("core/a.cc", "int a; \n"), ["space"])
        self.assertEqual(errors("core/a.cc", "// " + "x" * 118 + "\n"), ["columns"])
        self.assertEqual(errors("core/a.h", "int a;\n"), ["once"])

    def test_long_files_and_functions_are_warned_about(self):
        self.assertEqual(warnings("core/a.cc", "int a;\n" * 601), ["file"])
        body = "  a += 1;\n" * 80
        self.assertEqual(warnings("core/a.cc", "void F(int a) {\n" + body + "}\n"), ["function"])
        self.assertEqual(warnings("core/a.cc", "C::C(int a) : a_(a) {\n" + body + "}\n"), ["function"])
        self.assertEqual(warnings("core/a.cc", "namespace {\nclass C {\n" + "  int F();\n" * 80 + "};\n}\n"), [])
        self.assertEqual(warnings("core/a.cc", "void F() {\n}\n\n" * 80), [])


if __name__ == "__main__":
    unittest.main()
