// To be preloaded into a program that will be killed: keeps a log of what it does with files below $UNSYNCED_ROOT, so
// that support/unsynced.h can take away what a machine without power would have lost. One line per call:
//   C path           a file is about to be created          W inode          bytes are about to be written or cut
//   S inode size     the file is synced                     D path           the directory is synced
//   R from to kept   a rename; kept: what `to` was, or -    L path           another name for a file
//   U path kept      a name is about to be removed          M path, X path   a directory is about to be made, removed
// What is about to be lost is kept under another name below $UNSYNCED_KEPT.
#undef _FILE_OFFSET_BITS  // it would give open and open64 one name
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <mutex>
#include <string>

namespace {

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

std::mutex mutex;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Absolute; "" outside of the root.
std::string inside(std::string path) {
  if (!path.starts_with('/')) {
    std::array<char, 4096> here{};
    if (::getcwd(here.data(), here.size()) == nullptr) return "";
    path = std::string(here.data()) + "/" + path;
  }
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.starts_with(variable("UNSYNCED_ROOT") + "/") ? path : "";
}

// With the root itself.
std::string path_of(int descriptor) {
  std::array<char, 4096> text{};
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), text.data(), text.size());
  if (n < 0) return "";
  const std::string path(text.data(), static_cast<std::size_t>(n));
  return path == variable("UNSYNCED_ROOT") ? path : inside(path);
}

void log(const std::string& line) {
  static const int file =
      real<int(const char*, int, ...)>("open")(variable("UNSYNCED_LOG").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0666);
  const std::string text = line + "\n";
  static_cast<void>(!real<ssize_t(int, const void*, std::size_t)>("write")(file, text.data(), text.size()));
}

// A second name for what is there; "-" if there is nothing.
std::string keep(const std::string& path) {
  static int count = 0;
  const std::string kept = variable("UNSYNCED_KEPT") + "/" + std::to_string(count++);
  return real<int(const char*, const char*)>("link")(path.c_str(), kept.c_str()) == 0 ? kept : "-";
}

void note_write(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || path_of(descriptor).empty()) return;
  const std::scoped_lock lock(mutex);
  log("W " + std::to_string(status.st_ino));
}

template <class Open>
int opened(const char* name, int flags, Open open) {
  const std::string path = inside(name);
  if (path.empty() || (flags & (O_CREAT | O_TRUNC)) == 0) return open();
  const std::scoped_lock lock(mutex);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    log("C " + path);
  else if ((flags & O_TRUNC) != 0)
    log("W " + std::to_string(status.st_ino));
  return open();
}

int synced(const char* function, int descriptor) {
  struct stat status {};
  const std::string path = path_of(descriptor);
  const std::scoped_lock lock(mutex);  // nothing is written meanwhile that would count as synced
  ::fstat(descriptor, &status);
  const int result = real<int(int)>(function)(descriptor);
  const int reason = errno;
  if (result == 0 && !path.empty())
    log(S_ISDIR(status.st_mode) ? "D " + path
                                : "S " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size));
  errno = reason;
  return result;
}

template <class Remove>
int removed(const std::string& path, Remove remove) {
  if (path.empty()) return remove();
  const std::scoped_lock lock(mutex);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) log(S_ISDIR(status.st_mode) ? "X " + path : "U " + path + " " + keep(path));
  return remove();
}

mode_t mode_of(int flags, va_list arguments) { return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0; }

}  // namespace

extern "C" {

int open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(name, flags, [&] { return real<int(const char*, int, ...)>("open")(name, flags, mode); });
}
int open64(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(name, flags, [&] { return real<int(const char*, int, ...)>("open64")(name, flags, mode); });
}
ssize_t write(int file, const void* bytes, std::size_t count) {
  note_write(file);
  return real<ssize_t(int, const void*, std::size_t)>("write")(file, bytes, count);
}
ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t at) {
  note_write(file);
  return real<ssize_t(int, const void*, std::size_t, off_t)>("pwrite")(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void* bytes, std::size_t count, off64_t at) {
  note_write(file);
  return real<ssize_t(int, const void*, std::size_t, off64_t)>("pwrite64")(file, bytes, count, at);
}
int ftruncate(int file, off_t size) noexcept {
  note_write(file);
  return real<int(int, off_t)>("ftruncate")(file, size);
}
int ftruncate64(int file, off64_t size) noexcept {
  note_write(file);
  return real<int(int, off64_t)>("ftruncate64")(file, size);
}
int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }

int rename(const char* from, const char* to) noexcept {
  const auto rename = [&] { return real<int(const char*, const char*)>("rename")(from, to); };
  const std::string a = inside(from), b = inside(to);
  if (a.empty() || b.empty()) return rename();
  const std::scoped_lock lock(mutex);
  log("R " + a + " " + b + " " + keep(b));
  return rename();
}
int link(const char* from, const char* to) noexcept {
  const auto link = [&] { return real<int(const char*, const char*)>("link")(from, to); };
  const std::string path = inside(to);
  if (path.empty()) return link();
  const std::scoped_lock lock(mutex);
  const int result = link();
  if (result == 0) log("L " + path);
  return result;
}
int mkdir(const char* name, mode_t mode) noexcept {
  const auto mkdir = [&] { return real<int(const char*, mode_t)>("mkdir")(name, mode); };
  const std::string path = inside(name);
  if (path.empty() || ::access(path.c_str(), F_OK) == 0) return mkdir();
  const std::scoped_lock lock(mutex);
  log("M " + path);
  return mkdir();
}
int unlink(const char* name) noexcept {
  return removed(inside(name), [&] { return real<int(const char*)>("unlink")(name); });
}
int remove(const char* name) noexcept {
  return removed(inside(name), [&] { return real<int(const char*)>("remove")(name); });
}
int rmdir(const char* name) noexcept {
  return removed(inside(name), [&] { return real<int(const char*)>("rmdir")(name); });
}
int unlinkat(int directory, const char* name, int flags) noexcept {
  const std::string path =
      name[0] == '/' || directory == AT_FDCWD ? inside(name) : inside(path_of(directory) + "/" + name);
  return removed(path, [&] { return real<int(int, const char*, int)>("unlinkat")(directory, name, flags); });
}

// A file system without locks, if $UNLOCKABLE is an error's number.
int flock(int file, int operation) noexcept {
  if (const std::string error = variable("UNLOCKABLE"); !error.empty()) {
    errno = std::atoi(error.c_str());
    return -1;
  }
  return real<int(int, int)>("flock")(file, operation);
}

}  // extern "C"
