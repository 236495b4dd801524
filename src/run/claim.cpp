#include "run/claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace goalpost {
namespace {

constexpr double kForgottenSeconds = 600;
constexpr int kMostClaims = 1'000'000;

std::filesystem::path claim_file(const std::filesystem::path& run, int number) {
  return fmt::format("{}.claim_{}", run.string(), number);
}

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The number of the newest claim; -1 if there is none.
int newest_claim(const std::filesystem::path& run) {
  const std::string begin = run.filename().string() + ".claim_";
  std::error_code error;
  int newest = -1;
  std::filesystem::directory_iterator it(run.parent_path(), error);
  if (error == std::errc::no_such_file_or_directory) return newest;
  if (error) throw std::system_error(error, fmt::format("cannot read {}", run.parent_path().string()));
  for (const auto& entry : it) {
    const std::string name = entry.path().filename().string();
    int number = 0;
    if (!name.starts_with(begin)) continue;
    const auto [end, problem] = std::from_chars(name.data() + begin.size(), name.data() + name.size(), number);
    if (problem == std::errc() && end == name.data() + name.size() && number < kMostClaims &&
        entry.is_regular_file(error))
      newest = std::max(newest, number);
  }
  return newest;
}

std::int64_t time_of(const std::filesystem::path& file) {  // ns since 1970; 0 if it is no more
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return 0;
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

// The time of the file system that holds a file, which may be another machine's; 0 if that is not known.
std::int64_t time_beside(const std::filesystem::path& file) {
  const std::filesystem::path probe = fmt::format("{}.now_{}_{}", file.string(), ProcessId::self().host, ::getpid());
  const int descriptor = ::open(probe.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0) return 0;
  ::futimens(descriptor, nullptr);
  ::close(descriptor);
  const std::int64_t now = time_of(probe);
  ::unlink(probe.c_str());
  return now;
}

// None if the file is no more.
std::optional<ClaimHolder> read_claim(const std::filesystem::path& file) {
  std::ifstream in(file);  // opened first: network file systems then ask for its present time
  const std::int64_t beat = time_of(file);
  if (!in.is_open() || beat == 0) return std::nullopt;
  ClaimHolder holder{.process = ProcessId::read(in), .since = 0, .done = -1, .beat = beat, .file = file};
  if (in >> holder.since && !(in >> holder.done)) holder.done = -1;
  return holder;
}

}  // namespace

std::string ClaimHolder::text() const {
  if (process.host.empty()) return "a process that has just begun";
  return fmt::format("process {} on {}", process.process, process.host);
}

std::optional<ClaimHolder> holder_of(const std::filesystem::path& run) {
  const int number = newest_claim(run);
  return number < 0 ? std::nullopt : read_claim(claim_file(run, number));
}

bool ClaimWatch::is_over(const ClaimHolder& holder) {
  if (holder.process.is_near()) return holder.process.has_ended();
  const auto now = std::chrono::steady_clock::now();
  const auto [it, fresh] = seen_.try_emplace(holder.file, Seen{holder.beat, now});
  if (it->second.beat != holder.beat) it->second = {holder.beat, now};
  if (std::chrono::duration<double>(now - it->second.since).count() > kSilentSeconds) return true;
  if (!fresh) return false;
  const std::int64_t there = time_beside(holder.file);
  return there > 0 && static_cast<double>(there - holder.beat) > 1e9 * kForgottenSeconds;
}

std::optional<Claim> Claim::take(const std::filesystem::path& run, ClaimWatch& watch) {
  const int before = newest_claim(run);
  std::optional<ClaimHolder> last;
  if (before >= 0) {
    last = read_claim(claim_file(run, before));
    if (!last || !watch.is_over(*last)) return std::nullopt;  // none: given back just now
  }
  std::filesystem::create_directories(run.parent_path());
  const std::filesystem::path file = claim_file(run, before + 1);
  const int descriptor = ::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0 && errno == EEXIST) return std::nullopt;
  const std::string text = fmt::format("{}\n{}\n", ProcessId::self().text(), seconds_now());
  const bool whole = descriptor >= 0 && ::write(descriptor, text.data(), text.size()) == ssize_t(text.size());
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!whole) {
    if (descriptor >= 0) ::unlink(file.c_str());
    throw std::system_error(reason, std::generic_category(), fmt::format("cannot write {}", file.string()));
  }
  // Claims may have been given back and taken since the first look. The highest one counts, and only while the one
  // that it takes over from is still there.
  const auto same = [&](const std::optional<ClaimHolder>& holder) {
    return holder && holder->process == last->process;
  };
  if (newest_claim(run) != before + 1 || (last && !same(read_claim(last->file)))) {
    ::unlink(file.c_str());
    return std::nullopt;
  }
  return Claim(run, before + 1, text.size());
}

Claim::~Claim() {
  if (run_.empty()) return;
  try {
    if (newest_claim(run_) == number_)  // otherwise it is somebody else's by now
      for (int number = 0; number < number_; ++number) ::unlink(claim_file(run_, number).c_str());
  } catch (const std::exception&) {  // without its directory nothing needs to be given back
  }
  ::unlink(claim_file(run_, number_).c_str());
}

Claim::Claim(Claim&& other) noexcept
    : run_(std::exchange(other.run_, {})), number_(other.number_), head_(other.head_) {}

Claim& Claim::operator=(Claim&& other) noexcept {
  std::swap(run_, other.run_);
  std::swap(number_, other.number_);
  std::swap(head_, other.head_);
  return *this;
}

bool Claim::beat(std::int64_t done) const {
  const int descriptor = ::open(claim_file(run_, number_).c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return errno != ENOENT;
  const std::string text = fmt::format("{:20}\n", done);
  static_cast<void>(!::pwrite(descriptor, text.data(), text.size(), static_cast<off_t>(head_)));
  ::futimens(descriptor, nullptr);
  ::close(descriptor);
  return newest_claim(run_) == number_;
}

}  // namespace goalpost
