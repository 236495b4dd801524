#include "storage/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

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

}  // namespace

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
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;  // some file systems have no locks
  ::close(descriptor_);
  throw std::runtime_error(fmt::format("another process is at work in {}", directory.string()));
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

std::string read_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    throw std::system_error(EISDIR, std::generic_category(), "cannot read " + path.string());
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) throw_errno("read", path);
  return content;
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  std::filesystem::path result = path;
  result += ".tmp";
  return result;
}

void replace_by_temporary(const std::filesystem::path& path) {
  const std::filesystem::path temporary = temporary_name(path);
  try {
    sync_path(temporary, 0);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("replace", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_path(path.has_parent_path() ? path.parent_path() : ".", O_DIRECTORY);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path temporary = temporary_name(path);
  try {
    OutputFile(temporary, OutputFile::Mode::replace).write(content);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  replace_by_temporary(path);
}

}  // namespace goalpost
