// What every fuzz target defines. Built with clang, libFuzzer calls it; with another compiler, driver.cpp does.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace goalpost {

/// The input as a file of this process, for readers that take a path.
inline std::filesystem::path input_file(const std::uint8_t* data, std::size_t size, const char* suffix) {
  static const std::string stem =
      (std::filesystem::temp_directory_path() / ("goalpost_fuzz_" + std::to_string(getpid()))).string();
  const std::filesystem::path path = stem + suffix;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

}  // namespace goalpost
