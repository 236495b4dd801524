// The program's own definitions of these functions take the place of the C library's, as those of alloc_guard.cpp do.
#include "support/file_calls.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>

namespace goalpost {
namespace {

struct Log {
  std::mutex mutex;
  bool open = false;
  std::function<void(const FileCall&)> before;
  std::vector<FileCall> calls;
};
Log& the_log() {
  static Log log;
  return log;
}

void note(FileCall call) {
  Log& log = the_log();
  std::function<void(const FileCall&)> before;
  {
    const std::scoped_lock lock(log.mutex);
    if (!log.open) return;
    before = log.before;
  }
  if (before) before(call);
  const std::scoped_lock lock(log.mutex);
  if (log.open) log.calls.push_back(std::move(call));
}

std::filesystem::path path_of(int descriptor) {
  std::array<char, 4096> text;
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), text.data(), text.size());
  return n < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(n));
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

bool same(const std::filesystem::path& a, const std::filesystem::path& b) {
  return std::filesystem::absolute(a).lexically_normal() == std::filesystem::absolute(b).lexically_normal();
}

}  // namespace

std::string FileCall::text() const {
  static constexpr const char* kNames[] = {"sync", "rename", "link", "remove"};
  std::string text = kNames[static_cast<std::size_t>(kind)];
  if (!from.empty()) text.append(1, ' ').append(from.filename().string());
  return text.append(1, ' ').append(path.filename().string());
}

FileCalls::FileCalls(std::function<void(const FileCall&)> before) {
  Log& log = the_log();
  const std::scoped_lock lock(log.mutex);
  log.open = true;
  log.before = std::move(before);
  log.calls.clear();
}

FileCalls::~FileCalls() {
  Log& log = the_log();
  const std::scoped_lock lock(log.mutex);
  log.open = false;
  log.before = {};
}

std::vector<FileCall> FileCalls::calls() const {
  Log& log = the_log();
  const std::scoped_lock lock(log.mutex);
  return log.calls;
}

std::string FileCalls::text() const {
  std::string text;
  for (const FileCall& call : calls()) text += call.text() + "\n";
  return text;
}

std::string problem_of_replacement(const std::vector<FileCall>& calls, const std::filesystem::path& path) {
  using Kind = FileCall::Kind;
  const auto renamed = std::find_if(calls.begin(), calls.end(),
                                    [&](const FileCall& c) { return c.kind == Kind::rename && same(c.path, path); });
  if (renamed == calls.end()) return "nothing was renamed to " + path.string();
  const auto synced = [&](auto begin, auto end, const std::filesystem::path& what) {
    return std::any_of(begin, end, [&](const FileCall& c) { return c.kind == Kind::sync && same(c.path, what); });
  };
  if (!synced(calls.begin(), renamed, renamed->from))
    return renamed->from.string() + " was renamed before it was synced";
  const std::filesystem::path directory = std::filesystem::absolute(path).lexically_normal().parent_path();
  if (!synced(renamed, calls.end(), directory)) return directory.string() + " was not synced after the rename";
  return "";
}

}  // namespace goalpost

using goalpost::FileCall;

extern "C" {

int fsync(int descriptor) {
  goalpost::note({FileCall::Kind::sync, goalpost::path_of(descriptor), ""});
  return goalpost::real<int(int)>("fsync")(descriptor);
}

int fdatasync(int descriptor) {
  goalpost::note({FileCall::Kind::sync, goalpost::path_of(descriptor), ""});
  return goalpost::real<int(int)>("fdatasync")(descriptor);
}

int rename(const char* from, const char* to) noexcept {
  goalpost::note({FileCall::Kind::rename, to, from});
  return goalpost::real<int(const char*, const char*)>("rename")(from, to);
}

int link(const char* from, const char* to) noexcept {
  goalpost::note({FileCall::Kind::link, to, from});
  return goalpost::real<int(const char*, const char*)>("link")(from, to);
}

int unlink(const char* path) noexcept {
  goalpost::note({FileCall::Kind::remove, path, ""});
  return goalpost::real<int(const char*)>("unlink")(path);
}

int remove(const char* path) noexcept {
  goalpost::note({FileCall::Kind::remove, path, ""});
  return goalpost::real<int(const char*)>("remove")(path);
}

}  // extern "C"
