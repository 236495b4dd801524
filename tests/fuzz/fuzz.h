// What every fuzz target defines. Built with clang, libFuzzer calls it; with another compiler, driver.cpp does.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "support/temporary_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace goalpost {

/// Where this process puts its input, for readers that take a path; gone when it ends.
inline const std::filesystem::path& input_directory() {
  static const TemporaryDirectory directory;
  return directory.path();
}

/// Over what the file held: one that is emptied first goes to the disk every time, which takes longer than all else.
inline void write_input(const std::filesystem::path& path, const std::uint8_t* data, std::size_t size) {
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0666);
  if (file < 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size) ||
      ::ftruncate(file, static_cast<off_t>(size)) != 0)
    throw std::runtime_error("cannot write " + path.string());
  ::close(file);
}

}  // namespace goalpost
