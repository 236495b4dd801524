#include "core/data_path.h"

#include <unistd.h>

#include <cstdlib>

#include "core/check.h"

namespace goalpost {
namespace fs = std::filesystem;
namespace {

bool holds_data(const fs::path& directory) {
  std::error_code ignored;
  return fs::is_directory(directory / "src/experiments", ignored) &&
         fs::is_directory(directory / "envs/assets", ignored);
}

}  // namespace

fs::path data_directory() {
  if (const char* set = std::getenv("GOALPOST_DATA"); set != nullptr && *set != '\0') {
    if (holds_data(set)) return fs::absolute(set);
    throw UsageError(detail::concatenate("GOALPOST_DATA is ", set,
                                         ", which does not hold src/experiments and envs/assets; expected a source "
                                         "tree of goalpost or a copy of its data"));
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (fs::path directory = program.parent_path(); !directory.empty(); directory = directory.parent_path()) {
    for (const fs::path& candidate : {directory, directory / "share/goalpost"})
      if (holds_data(candidate)) return candidate;
    if (directory == directory.root_path()) break;
  }
  throw UsageError(detail::concatenate(
      "goalpost's own files (src/experiments and envs/assets) are not found: searched ",
      program.empty() ? "nothing, as /proc/self/exe cannot be read"
                      : program.parent_path().string() + ", all directories above it, and share/goalpost in each",
      "; set GOALPOST_DATA to a source tree of goalpost"));
}

fs::path data_path(const fs::path& relative) { return data_directory() / relative; }

fs::path writable_source_directory() {
  const fs::path top = data_directory();
  for (const char* file : {"README.md", "meson.build"})
    if (!fs::exists(top / file))
      throw UsageError(detail::concatenate("results are recorded in a source tree of goalpost, but ", top.string(),
                                           " has no ", file));
  for (const char* path : {"README.md", ".", "src/experiments", "src/experiments/results"})
    if (fs::exists(top / path) && ::access((top / path).c_str(), W_OK) != 0)
      throw UsageError(detail::concatenate("results are recorded in the source tree, but ",
                                           (top / path).lexically_normal().string(), " cannot be written"));
  return top;
}

}  // namespace goalpost
