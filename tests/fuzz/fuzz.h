// What every fuzz target defines. Built with clang, libFuzzer calls it; with another compiler, driver.cpp does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "support/temporary_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace goalpost {

/// Where this process puts its input, for readers that take a path; gone when it ends.
inline const std::filesystem::path& input_directory() {
  static const TemporaryDirectory directory;
  return directory.path();
}

inline void write_input(const std::filesystem::path& path, const std::uint8_t* data, std::size_t size) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
}

}  // namespace goalpost
