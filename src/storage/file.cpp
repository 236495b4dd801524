#include "storage/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "storage/process_id.h"

namespace goalpost {
namespace {

[[noreturn]] void throw_errno(const char* verb, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), fmt::format("cannot {} {}", verb, path.string()));
}

int flags(OutputFile::Mode mode) {
  switch (mode) {
    case OutputFile::Mode::create:
      return O_CREAT | O_EXCL;
    case OutputFile::Mode::replace:
      return O_CREAT | O_TRUNC;
    case OutputFile::Mode::append:
      break;
  }
  return O_CREAT;
}

void sync_path(const std::filesystem::path& path, int open_flags) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | open_flags);
  if (descriptor < 0) throw_errno("open", path);
  const int failed = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  // Some file systems cannot sync a directory and say EINVAL; there is nothing better to do on them.
  if (failed != 0 && reason != EINVAL) throw_errno("write to disk", path);
}

// What a path leads to.
struct Target {
  std::filesystem::path path;
  bool replaceable;     // a plain file, or nothing yet
  int descriptor = -1;  // of this process, if the path stands for one: /dev/stdout
};

// Follows links by hand, as the last name need not exist. A link in /proc/<process>/fd stands for an open file.
Target target_of(std::filesystem::path path) {
  constexpr int kMostLinks = 40;
  for (int links = 0;; ++links) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return {path, true};  // whoever opens it is told why
    if (!S_ISLNK(status.st_mode)) return {path, S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)};
    if (links == kMostLinks) {
      errno = ELOOP;
      throw_errno("open", path);
    }
    const std::filesystem::path directory =
        std::filesystem::canonical(path.has_parent_path() ? path.parent_path() : ".");
    if (directory.string().starts_with("/proc/") && directory.filename() == "fd") {
      Target target{path, false};
      const std::string number = path.filename().string();
      if (directory == fmt::format("/proc/{}/fd", ::getpid()))
        std::from_chars(number.data(), number.data() + number.size(), target.descriptor);
      return target;
    }
    path = directory / std::filesystem::read_symlink(path);
  }
}

std::filesystem::path temporary_of(const Target& target) {
  if (!target.replaceable)
    return std::filesystem::temp_directory_path() /
           fmt::format("goalpost_{}_{:x}.tmp", ::getpid(), std::filesystem::hash_value(target.path));
  std::filesystem::path result = target.path;
  result += ".tmp";
  return result;
}

// What is no plain file, opened to be written to.
class Stream {
 public:
  explicit Stream(const Target& target)
      : path_(target.path),
        descriptor_(target.descriptor >= 0 ? ::fcntl(target.descriptor, F_DUPFD_CLOEXEC, 3)
                                           : ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)) {
    if (descriptor_ < 0) throw_errno("open", path_);
    std::fflush(stdout);  // what was printed before comes before
  }
  ~Stream() { ::close(descriptor_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw_errno("write to", path_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  std::filesystem::path path_;
  int descriptor_;
};

std::filesystem::path parent_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

constexpr char kLockFile[] = ".goalpost.lock";  // where the file system has no locks

ProcessId read_holder(const std::filesystem::path& file) {
  std::ifstream in(file);
  return ProcessId::read(in);
}

// Creates the lock file. A file of a process of this host that is no more is taken away first.
void create_lock_file(const std::filesystem::path& file, const std::filesystem::path& directory) {
  const ProcessId self = ProcessId::self();
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int descriptor = ::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      const std::string text = self.text() + "\n";
      const bool whole = ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
      const int reason = errno;
      ::close(descriptor);
      if (whole) return;
      ::unlink(file.c_str());
      errno = reason;
      throw_errno("write to", file);
    }
    if (errno != EEXIST) throw_errno("create", file);
    const ProcessId other = read_holder(file);
    if (!other.has_ended())
      throw std::runtime_error(fmt::format(
          "another process is at work in {}: process {} of {} ({}; the file system has no locks, so remove this file "
          "if that process is no more)",
          directory.string(), other.process, other.host, file.string()));
    // Moved away first: if it is another's lock by now, it is put back.
    const std::filesystem::path stale = file.string() + "." + self.process;
    if (::rename(file.c_str(), stale.c_str()) != 0) continue;
    if (read_holder(stale) == other)
      ::unlink(stale.c_str());
    else
      ::rename(stale.c_str(), file.c_str());
  }
  throw std::runtime_error(fmt::format("another process is at work in {}", directory.string()));
}

}  // namespace

void make_directories(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    throw UsageError(fmt::format("the directory {} cannot be created: {}", directory.string(), error.message()));
}

OutputFile::OutputFile(std::filesystem::path path, Mode mode) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | flags(mode), 0666);
  if (descriptor_ < 0) throw_errno("open", path_);
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

void OutputFile::write(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      const int reason = errno;
      if (rest.size() < bytes.size()) static_cast<void>(!::ftruncate(descriptor_, static_cast<off_t>(size_)));
      errno = reason;
      throw_errno("write to", path_);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += bytes.size();
}

void OutputFile::sync() {
  if (::fsync(descriptor_) != 0) throw_errno("write to disk", path_);
}

DirectoryLock::DirectoryLock(const std::filesystem::path& directory)
    : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) throw_errno("open", directory);
  // Whoever asks is_locked() holds a lock for an instant.
  bool held = true;
  for (int attempt = 0; held && attempt < 20; ++attempt) {
    if (attempt > 0) ::usleep(5000);
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    held = errno == EWOULDBLOCK;
  }
  ::close(std::exchange(descriptor_, -1));
  if (held) throw std::runtime_error(fmt::format("another process is at work in {}", directory.string()));
  const std::filesystem::path file = directory / kLockFile;
  create_lock_file(file, directory);
  file_ = file;
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!file_.empty()) ::unlink(file_.c_str());
}

bool is_locked(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool free = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
  const bool held = !free && errno == EWOULDBLOCK;
  ::close(descriptor);
  std::error_code ignored;
  return held || (!free && std::filesystem::exists(directory / kLockFile, ignored));
}

std::string read_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    throw std::system_error(EISDIR, std::generic_category(), "cannot read " + path.string());
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) throw_errno("read", path);
  return content;
}

bool is_of_machine(const std::exception& error) {
  const auto* e = dynamic_cast<const std::system_error*>(&error);
  if (e == nullptr) return false;
  constexpr int kOfPath[] = {ENOENT, ENOTDIR, EISDIR, EEXIST, ELOOP, ENAMETOOLONG};
  return std::find(std::begin(kOfPath), std::end(kOfPath), e->code().value()) == std::end(kOfPath);
}

bool has_file(const std::filesystem::path& file) {
  const std::filesystem::file_status status = std::filesystem::status(file);
  if (!std::filesystem::exists(status)) return false;
  if (!std::filesystem::is_regular_file(status))
    throw std::runtime_error(fmt::format("{} is no regular file; expected one", file.string()));
  return true;
}

void expect_no_stream(const std::filesystem::path& path) {
  const std::filesystem::file_status status = std::filesystem::status(path);
  if (std::filesystem::is_other(status))
    throw UsageError(fmt::format("{} is a pipe, a socket or a device; expected a file", path.string()));
}

std::string content_digest(const std::vector<std::filesystem::path>& files) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  std::string piece(1 << 20, '\0');
  for (const std::filesystem::path& file : files) {
    static_cast<void>(has_file(file));  // a pipe would be waited for
    std::ifstream in(file, std::ios::binary);
    while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0)
      for (const char c : std::string_view(piece).substr(0, static_cast<std::size_t>(in.gcount())))
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    if (!in.is_open() || in.bad()) throw_errno("read", file);
  }
  return fmt::format("{:016x}", hash);
}

void expect_new(const std::filesystem::path& path) {
  const Target target = target_of(path);
  if (!target.replaceable) return;
  if (std::filesystem::exists(std::filesystem::symlink_status(target.path)))
    throw UsageError(fmt::format("{}: the {} already exists; expected a new name", path.string(),
                                 std::filesystem::is_directory(target.path) ? "directory" : "file"));
  if (const std::filesystem::path parent = parent_of(target.path); !std::filesystem::is_directory(parent))
    throw UsageError(fmt::format("{}: there is no directory {}", path.string(), parent.string()));
}

std::filesystem::path temporary_name(const std::filesystem::path& path) { return temporary_of(target_of(path)); }

void replace_by_temporary(const std::filesystem::path& path) {
  const Target target = target_of(path);
  const std::filesystem::path temporary = temporary_of(target);
  try {
    if (!target.replaceable) {
      std::ifstream in(temporary, std::ios::binary);
      Stream out(target);
      std::string piece(1 << 20, '\0');
      while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0)
        out.write(std::string_view(piece).substr(0, static_cast<std::size_t>(in.gcount())));
      if (!in.is_open() || in.bad()) throw_errno("read", temporary);
      ::unlink(temporary.c_str());
      return;
    }
    sync_path(temporary, 0);
    if (::rename(temporary.c_str(), target.path.c_str()) != 0) throw_errno("replace", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(parent_of(target.path));
}

void sync_directory(const std::filesystem::path& directory) {
  sync_path(directory.empty() ? "." : directory, O_DIRECTORY);
}

void sync_file(const std::filesystem::path& path) { sync_path(path, 0); }

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  const Target target = target_of(path);
  if (!target.replaceable) return Stream(target).write(content);
  const std::filesystem::path temporary = temporary_of(target);
  try {
    OutputFile(temporary, OutputFile::Mode::replace).write(content);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  replace_by_temporary(path);
}

}  // namespace goalpost
