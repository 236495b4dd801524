// Files that stay readable after a kill or with a full disk. Failures throw std::system_error, a std::runtime_error
// whose message has the path and the reason.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

/// A file that grows at its end. Nothing is buffered: when write() returns, the system has the bytes.
class OutputFile {
 public:
  enum class Mode {
    create,   ///< the file must not exist
    replace,  ///< what it held is lost
    append,   ///< made if missing
  };

  /// @throws std::system_error with path and reason if it cannot be opened
  OutputFile(std::filesystem::path path, Mode mode);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;

  /// One write(2), continued only if the system took a part. On failure that part is removed again.
  /// @throws std::system_error with path and reason, e.g. a full disk
  void write(std::string_view bytes);
  /// Returns when the bytes are on the disk. @throws std::system_error with path and reason
  void sync();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }  ///< in bytes

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// A lock of a directory for one process, held until the object or the process ends. On a file system without locks
/// (flock fails with ENOLCK or EOPNOTSUPP, as on some NFS) a file .goalpost.lock holds host, process and its start; a
/// file left by an ended process of this host is taken over.
class DirectoryLock {
 public:
  /// @throws std::runtime_error if another process holds it, or the directory cannot be opened
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_;
  std::filesystem::path file_;  // empty: the directory itself is locked
};

/// Whether a process holds the DirectoryLock of a directory: it is at work there.
bool is_locked(const std::filesystem::path& directory);

/// The whole content. @throws std::system_error with path and reason
std::string read_file(const std::filesystem::path& path);

/// Whether an error is the machine's (a full disk, permissions, too many open files) and not that of a wrong path,
/// which is the user's.
bool is_of_machine(const std::exception& error);

/// Whether a run directory has this file. @throws std::runtime_error if it is something else: reading a pipe may never
/// end
bool has_file(const std::filesystem::path& file);

/// @throws UsageError if a pipe, a socket or a device is there, which may block or never end when it is read
void expect_no_stream(const std::filesystem::path& path);

/// FNV-1a hash over the contents of the files, one after the other; 16 hexadecimal digits.
/// @throws std::system_error with path and reason
std::string content_digest(const std::vector<std::filesystem::path>& files);

/// Checks that a new file can be written here: the path does not exist, or is not a regular file (a device, a pipe,
/// /dev/stdout); follows symbolic links. @throws UsageError if a file or directory exists, or its directory does not
void expect_new(const std::filesystem::path& path);

/// The name under which the next version of a file is written before it takes the file's place: beside the file that
/// the path leads to through symbolic links. What is no plain file (a device, a pipe, /dev/stdout) has its temporary
/// file in the directory for temporary files. @throws std::system_error for links that lead in circles
std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Puts temporary_name(path) in the place of path: a reader, and a machine that loses power, sees the old file or the
/// new one, whole. A symbolic link stays, and its target is replaced. What is no plain file is never replaced: the
/// bytes are written to it. Removes the temporary file on failure. @throws std::system_error with path and reason
void replace_by_temporary(const std::filesystem::path& path);

/// Returns when the names of the directory's files are on the disk. @throws std::system_error with path and reason
void sync_directory(const std::filesystem::path& directory);
/// The same for what a file holds.
void sync_file(const std::filesystem::path& path);

/// Makes a directory and those above it. @throws UsageError if it cannot be made, as a name that a user chose
void make_directories(const std::filesystem::path& directory);

/// Writes a whole file as replace_by_temporary does; what is no plain file is written to directly. @throws
/// std::system_error with path and reason
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace goalpost
