// wrong(): the error of a file that violates its format.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace goalpost {

/// @throws std::runtime_error with path and sentence
[[noreturn]] inline void wrong(const std::filesystem::path& file, const std::string& sentence) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), sentence));
}

}  // namespace goalpost
