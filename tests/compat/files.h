// tests/compat/files.h: the golden files, as bytes.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace odometer::testing {

inline std::filesystem::path GoldenPath(const std::string& name) {
  return std::filesystem::path(ODOMETER_GOLDEN_DIR) / name;
}

// Fails the test if there is no such file.
inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << "cannot read " << path;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

}  // namespace odometer::testing
