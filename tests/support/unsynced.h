// What a machine without power loses: all that was not synced. The program to be killed runs with the library of
// unsynced.cpp preloaded.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace goalpost {

class UnsyncedFiles {
 public:
  /// @param root directory of the files that may be lost @param scratch another one of the same file system
  UnsyncedFiles(std::filesystem::path root, std::filesystem::path scratch)
      : root_(std::move(root)), scratch_(std::move(scratch)) {
    std::filesystem::create_directories(root_);
    clear();
  }

  /// In the process that is about to become the program.
  void prepare(const char* library) const {
    ::setenv("LD_PRELOAD", library, 1);
    ::setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    ::setenv("UNSYNCED_ROOT", root_.c_str(), 1);
    ::setenv("UNSYNCED_LOG", log().c_str(), 1);
    ::setenv("UNSYNCED_KEPT", kept().c_str(), 1);
  }

  /// After the program has ended: undoes every change of a directory that was not synced afterwards, and cuts every
  /// file that was not synced after its last write back to its length when it was.
  void lose() {
    namespace fs = std::filesystem;
    struct Change {
      char kind;
      fs::path from, path, kept;
      bool synced = false;
    };
    std::vector<Change> changes;
    std::map<std::uint64_t, std::uintmax_t> synced_size;
    std::set<std::uint64_t> dirty;
    std::ifstream in(log());
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      Change c{};
      std::uint64_t inode = 0;
      words >> c.kind;
      switch (c.kind) {
        case 'W':
          words >> inode;
          dirty.insert(inode);
          break;
        case 'S':
          words >> inode >> synced_size[inode];
          dirty.erase(inode);
          break;
        case 'D':
          words >> c.path;
          for (Change& change : changes) change.synced = change.synced || change.path.parent_path() == c.path;
          break;
        case 'R':
          words >> c.from;
          [[fallthrough]];
        default:
          words >> c.path >> c.kept;
          changes.push_back(c);
      }
    }
    for (auto c = changes.rbegin(); c != changes.rend(); ++c) {
      if (c->synced) continue;
      if (c->kind == 'C' || c->kind == 'L') fs::remove(c->path);
      if (c->kind == 'M') fs::remove_all(c->path);
      if (c->kind == 'X') fs::create_directory(c->path);
      if (c->kind == 'R' && !fs::exists(c->from) && fs::exists(c->path)) fs::rename(c->path, c->from);
      // A directory whose removal was synced is gone with what was in it.
      if ((c->kind == 'R' || c->kind == 'U') && fs::exists(c->kept) && fs::exists(c->path.parent_path()))
        fs::rename(c->kept, c->path);
    }
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (!entry.is_regular_file()) continue;
      struct ::stat status {};
      ::stat(entry.path().c_str(), &status);
      const std::uintmax_t synced = synced_size[status.st_ino];
      if (dirty.contains(status.st_ino) && fs::file_size(entry.path()) > synced) fs::resize_file(entry.path(), synced);
    }
    clear();
  }

 private:
  std::filesystem::path log() const { return scratch_ / "log"; }
  std::filesystem::path kept() const { return scratch_ / "kept"; }
  void clear() {
    std::filesystem::remove_all(scratch_);
    std::filesystem::create_directories(kept());
  }

  std::filesystem::path root_, scratch_;
};

}  // namespace goalpost
