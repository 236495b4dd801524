// HDF5 files, ours and those of other libraries, read as episodes, as a D4RL file, as Minari's and as a checkpoint: a
// sentence or a whole dataset, nothing else. All of it is tried in a copy of the process, as the readers would do
// themselves, since HDF5 crashes on some inputs; the copy continues with the next input unless it crashes. A crash
// counts only if the memory or the code is ours. libFuzzer sees the coverage of the copy, as they share its counters.
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/state.h"
#include "fuzz/fuzz.h"
#include "storage/checkpoint.h"
#include "storage/dataset.h"
#include "storage/dataset_summary.h"
#include "storage/try_reading.h"

#ifdef GOALPOST_LIBFUZZER
// libFuzzer's counters of edges, one byte each, as they are registered (the linker wraps that function); and where its
// handlers of crashes are registered.
extern "C" {
void __real___sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end);
void __wrap___sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end);
void __sanitizer_set_death_callback(void (*)());
}
static std::span<std::uint8_t> counters;
void __wrap___sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end) {
  counters = {begin, end};
  __real___sanitizer_cov_8bit_counters_init(begin, end);
}
#endif

namespace {

namespace fs = std::filesystem;

goalpost::EnvSpec spec() {
  goalpost::EnvSpec s;
  s.name = "Fuzz-v0";
  s.obs_dim = 3;
  s.action = {.kind = goalpost::ActionSpace::Kind::discrete, .dim = 1, .choices = 1000, .low = {}, .high = {}};
  s.goal.dim = 3;
  s.goal.radius = 1;
  s.max_steps = 6;
  return s;
}

// A counter that sizes what follows it.
void visit(goalpost::StateVisitor& v) {
  std::uint64_t count = 2;
  v.visit("count", count);
  if (count > 8) throw std::runtime_error("too many");
  const goalpost::StateVisitor::Scope q(v, "q");
  goalpost::Matrix w = goalpost::Matrix::Zero(static_cast<goalpost::Index>(count), 3);
  v.visit("W", w);
  std::array<double, 2> sums = {};
  v.visit("sums", std::span(sums));
}

// The input stands beside what a Minari dataset needs around its data.
const fs::path& minari_directory() {
  static const fs::path& path = [&]() -> const fs::path& {
    const fs::path& directory = goalpost::input_directory();
    std::ofstream(directory / "metadata.json") << R"({"data_format": "hdf5", "total_episodes": 2, "total_steps": 5})";
    return directory;
  }();
  return path;
}

// Ends the fuzzing, from the copy that tries inputs.
pid_t fuzzer = 0;
bool is_copy = false;
void found() {
  if (is_copy) kill(fuzzer, SIGABRT);
}

bool of_hdf5(std::span<void*> frames) {
  return std::any_of(frames.begin(), frames.end(), [](void* frame) {
    Dl_info where;
    return dladdr(frame, &where) != 0 && where.dli_fname != nullptr &&
           std::strstr(where.dli_fname, "libhdf5") != nullptr;
  });
}
std::span<void*> stack() {
  static void* frames[64];
  return std::span(frames).first(static_cast<std::size_t>(backtrace(frames, static_cast<int>(std::size(frames)))));
}
// An assertion: ours, Eigen's or the standard library's.
void on_abort(int) {
  if (!of_hdf5(stack())) found();
}

template <class F>
void survive(F read) {
  try {
    read();
  } catch (const std::runtime_error&) {
  } catch (const std::exception&) {  // no sentence: a size that nobody looked at
    found();
  }
}

void try_input(const fs::path& file) {
  survive([&] { goalpost::check_dataset(file); });
  for (const fs::path& dataset : {file, file.parent_path()})
    survive([&] { goalpost::replay_dataset(dataset, spec(), [](const goalpost::StepBatch&) {}); });
  survive([&] { goalpost::check_state(file); });
  survive([&] { goalpost::load_state(file, "fuzz", visit); });
}

#ifdef GOALPOST_LIBFUZZER
// Shares the counters with copies made from now on, but for the pages that hold something else too.
void share_coverage() {
  constexpr std::uintptr_t kPage = 4096;
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(counters.data()) + kPage - 1) / kPage * kPage,
                       last = reinterpret_cast<std::uintptr_t>(counters.data() + counters.size()) / kPage * kPage;
  if (first >= last) throw std::runtime_error("no counters of coverage to share");
  std::uint8_t* const pages = reinterpret_cast<std::uint8_t*>(first);
  const std::vector<std::uint8_t> before(pages, pages + (last - first));
  if (mmap(pages, last - first, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
    throw std::runtime_error("cannot share the counters of coverage");
  std::copy(before.begin(), before.end(), pages);
}
// What ends a copy is no finding of libFuzzer's, unless found() makes it one.
void leave_libfuzzer() {
  __sanitizer_set_death_callback(nullptr);
  for (const int s : {SIGALRM, SIGINT, SIGTERM, SIGXFSZ}) std::signal(s, SIG_DFL);
}
#else
void share_coverage() {}
void leave_libfuzzer() {}
#endif

class Copy {
 public:
  Copy() { share_coverage(); }
  ~Copy() { end(); }
  // Has the file tried, and waits until it is, or until that has ended the copy.
  void run(const fs::path& file) {
    if (child_ == 0) begin(file);
    char done = 0;
    if (write(to_[1], &done, 1) != 1 || read(from_[0], &done, 1) != 1) end();
  }

 private:
  void begin(const fs::path& file) {
    if (pipe(to_) != 0 || pipe(from_) != 0 || (child_ = fork()) < 0) throw std::runtime_error("no process for a copy");
    close(to_[child_ == 0 ? 1 : 0]);
    close(from_[child_ == 0 ? 0 : 1]);
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    leave_libfuzzer();
    std::signal(SIGABRT, on_abort);
    try {
      goalpost::try_reading(file, [&] {  // within it the readers make no copies of their own
        is_copy = true;
        for (char c = 0; read(to_[0], &c, 1) == 1;) {
          try_input(file);
          if (write(from_[1], &c, 1) != 1) break;
        }
      });
    } catch (const std::runtime_error&) {
    }
    _exit(0);
  }
  void end() {
    if (child_ <= 0) return;
    close(to_[1]);
    close(from_[0]);
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
    child_ = 0;
  }
  pid_t child_ = 0;
  int to_[2] = {-1, -1}, from_[2] = {-1, -1};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzer = getpid();
  signal(SIGPIPE, SIG_IGN);
  static Copy copy;
  const fs::path file = minari_directory() / "main_data.hdf5";
  goalpost::write_input(file, data, size);
  copy.run(file);
  return 0;
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

// Called before a report. The memory is HDF5's if it allocated it; without memory the code decides. It decides too
// where the memory has been freed, or a stray address lies beside such: HDF5 keeps nothing of ours longer than a call,
// so what it reads there is anybody's.
extern "C" void __asan_on_error() {
  void* frames[64];
  int thread = 0;
  const bool freed = __asan_get_free_stack(__asan_get_report_address(), frames, std::size(frames), &thread) > 0;
  const std::size_t n =
      freed ? 0 : __asan_get_alloc_stack(__asan_get_report_address(), frames, std::size(frames), &thread);
  if (!of_hdf5(n == 0 ? stack() : std::span(frames).first(n))) found();
}
// Only our own code is instrumented for undefined behavior.
extern "C" void __ubsan_on_report() { found(); }
#endif
