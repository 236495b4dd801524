// What a test has the system do with files, in order: which paths are synced, renamed, linked and removed. For what
// must be on the disk before something else happens. The calls are those of the whole program, HDF5's too.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace goalpost {

struct FileCall {
  enum class Kind { sync, rename, link, remove };
  Kind kind;
  std::filesystem::path path;  ///< of what is synced or removed; where a renamed or linked file is afterwards
  std::filesystem::path from;  ///< where a renamed or linked file was
  std::string text() const;    ///< "rename a.tmp a", names without their directories
};

/// Notes the calls of all threads while it lives; one at a time.
class FileCalls {
 public:
  /// @param before is called before each call, on its thread; may sleep, must not open a FileCalls
  explicit FileCalls(std::function<void(const FileCall&)> before = {});
  ~FileCalls();
  FileCalls(const FileCalls&) = delete;
  FileCalls& operator=(const FileCalls&) = delete;
  std::vector<FileCall> calls() const;
  std::string text() const;  ///< one call a line, for messages
};

/// What is wrong with how a file came to its place, as a sentence; empty if nothing is: it is synced under its
/// temporary name, takes its place by a rename, and then its directory is synced.
std::string problem_of_replacement(const std::vector<FileCall>& calls, const std::filesystem::path& path);

}  // namespace goalpost
