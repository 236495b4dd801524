#include "envs/python/python_env.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/data_path.h"
#include "core/rng.h"

namespace goalpost {
namespace {

constexpr int kSocket = 3, kMemory = 4;  // descriptors of the worker

// The steps of the goal reward.
Scalar sparse_reward(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).norm() < radius ? 0 : -1;
}

// What a worker says of its environment, and where things lie in the memory that it shares, in doubles: observation,
// achieved and desired goal, action, reward, and flags terminated, truncated, success, whether success is known.
struct Layout {
  int obs = 0, goal = 0, action = 0, choices = 0, max_steps = 0;
  std::vector<double> low, high;
  std::size_t achieved_at() const { return static_cast<std::size_t>(obs); }
  std::size_t desired_at() const { return achieved_at() + static_cast<std::size_t>(goal); }
  std::size_t action_at() const { return desired_at() + static_cast<std::size_t>(goal); }
  std::size_t reward_at() const { return action_at() + static_cast<std::size_t>(action); }
  std::size_t size() const { return reward_at() + 5; }
};

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail_call(const std::string& what) {
  throw std::runtime_error(detail::concatenate(what, ": ", std::strerror(errno)));
}

// A process that steps one environment.
class Worker {
 public:
  Worker(std::string name, const PythonEnvConfig& config) : name_(std::move(name)) {
    start(config);
    try {
      read_layout();
      map();
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const Layout& layout() const { return layout_; }
  double* memory() { return memory_; }

  void reset(std::uint64_t seed) { command('r', seed); }
  void step() { command('s', 0); }

 private:
  void start(const PythonEnvConfig& config) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) fail_call("socketpair");
    socket_ = Descriptor(pair[0]);
    const Descriptor its(pair[1]);
    shared_ = Descriptor(::memfd_create("goalpost", MFD_CLOEXEC));
    if (shared_.number() < 0) fail_call("memfd_create");
    const std::string script = data_path("envs/python/worker.py").string();
    std::vector<std::string> words = {config.interpreter, script, name_, config.arguments};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // Through high numbers, so that neither takes the other's place.
    const Descriptor high_socket(::fcntl(its.number(), F_DUPFD_CLOEXEC, 100)),
        high_memory(::fcntl(shared_.number(), F_DUPFD_CLOEXEC, 100));
    posix_spawn_file_actions_adddup2(&actions, high_socket.number(), kSocket);
    posix_spawn_file_actions_adddup2(&actions, high_memory.number(), kMemory);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);  // what it prints is no result
    const int error = ::posix_spawnp(&pid_, config.interpreter.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
      throw UsageError(detail::concatenate(name_, ": ", config.interpreter, " cannot be run: ", std::strerror(error),
                                           " (env.interpreter)"));
  }

  void read_layout() {
    std::istringstream words(answer());
    for (std::string word; words >> word;) {
      if (word == "obs") words >> layout_.obs;
      if (word == "goal") words >> layout_.goal;
      if (word == "max_steps") words >> layout_.max_steps;
      if (word == "discrete") words >> layout_.choices;
      if (word == "continuous") {
        words >> layout_.action;
        layout_.low.resize(static_cast<std::size_t>(layout_.action));
        layout_.high.resize(layout_.low.size());
        for (double& x : layout_.low) words >> x;
        for (double& x : layout_.high) words >> x;
      }
    }
    if (layout_.choices > 0) layout_.action = 1;
    if (words.bad() || layout_.obs <= 0 || layout_.action <= 0)
      throw std::runtime_error(detail::concatenate(name_, ": its worker did not describe it"));
  }

  void map() {
    const std::size_t bytes = layout_.size() * sizeof(double);
    if (::ftruncate(shared_.number(), static_cast<off_t>(bytes)) != 0) fail_call("ftruncate");
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, shared_.number(), 0);
    if (at == MAP_FAILED) fail_call("mmap");
    memory_ = static_cast<double*>(at);
    command('m', bytes);
  }

  void stop() {
    socket_ = Descriptor();  // it ends when nobody listens
    if (memory_ != nullptr) ::munmap(memory_, layout_.size() * sizeof(double));
    memory_ = nullptr;
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    wait_or_kill();
  }

  void command(char what, std::uint64_t number) {
    std::array<char, 9> message{};
    message[0] = what;
    std::memcpy(message.data() + 1, &number, sizeof(number));
    for (std::size_t sent = 0; sent < message.size();) {
      const ssize_t n = ::send(socket_.number(), message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) lost();
      sent += static_cast<std::size_t>(n);
    }
    answer();
  }

  // A byte, 'k' or an error's, the length of a text, the text.
  std::string answer() {
    std::array<char, 5> head{};
    receive(head.data(), head.size());
    std::uint32_t size = 0;
    std::memcpy(&size, head.data() + 1, sizeof(size));
    constexpr std::uint32_t kMostText = 1 << 20;
    if (size > kMostText) throw std::runtime_error(detail::concatenate(name_, ": its worker's answer is none"));
    std::string text(size, '\0');
    receive(text.data(), text.size());
    if (head[0] == 'k') return text;
    if (head[0] == 'u') throw UsageError(detail::concatenate(name_, ": ", text));
    throw std::runtime_error(detail::concatenate(name_, ": ", text));
  }

  void receive(char* to, std::size_t size) {
    for (std::size_t got = 0; got < size;) {
      // A child of the worker may hold the other end open after it has ended.
      pollfd ready{.fd = socket_.number(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 1000) == 0) {
        siginfo_t info{};
        if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
          lost();
        continue;
      }
      const ssize_t n = ::recv(socket_.number(), to + got, size - got, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) lost();
      got += static_cast<std::size_t>(n);
    }
  }

  // The status of the process, which is killed if it does not end within two seconds.
  int wait_or_kill() {
    int status = 0;
    const pid_t pid = std::exchange(pid_, -1);
    for (int i = 0; i < 200; ++i) {
      const pid_t ended = ::waitpid(pid, &status, WNOHANG);
      if (ended == pid || (ended < 0 && errno != EINTR)) return status;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  [[noreturn]] void lost() {
    const pid_t pid = pid_;
    const int status = wait_or_kill();
    std::string how = "ended";
    if (WIFSIGNALED(status))
      how = detail::concatenate("was ended by signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")");
    if (WIFEXITED(status)) how = detail::concatenate("ended with status ", WEXITSTATUS(status));
    throw EnvironmentLost(detail::concatenate(name_, ": its Python process ", pid, " ", how));
  }

  std::string name_;
  Descriptor socket_, shared_;
  pid_t pid_ = -1;
  Layout layout_;
  double* memory_ = nullptr;
};

// What all environments of a factory share: the spaces, and a worker that was started to learn them.
class Shared {
 public:
  Shared(std::string name, PythonEnvConfig config) : name_(std::move(name)), config_(std::move(config)) {}

  const EnvSpec& spec() {
    const std::lock_guard guard(mutex_);
    if (spec_.obs_dim == 0) {
      spare_ = std::make_unique<Worker>(name_, config_);
      fill(spare_->layout());
    }
    return spec_;
  }
  std::unique_ptr<Worker> worker() {
    {
      const std::lock_guard guard(mutex_);
      if (spare_) return std::move(spare_);
    }
    return std::make_unique<Worker>(name_, config_);
  }

 private:
  void fill(const Layout& l) {
    spec_.max_steps = config_.max_steps > 0 ? config_.max_steps : l.max_steps;
    if (spec_.max_steps <= 0)
      throw UsageError(detail::concatenate(name_, " names no time limit; expected env.max_steps"));
    spec_.name = name_;
    const auto vector = [](const std::vector<double>& x) -> Vector {
      return Eigen::Map<const Eigen::VectorXd>(x.data(), std::ssize(x)).cast<Scalar>();
    };
    if (l.choices > 0)
      spec_.action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = l.choices, .low = {}, .high = {}};
    else
      spec_.action = {.dim = l.action, .choices = 0, .low = vector(l.low), .high = vector(l.high)};
    if (l.goal > 0)
      spec_.goal = {.dim = l.goal,
                    .radius = static_cast<Scalar>(config_.radius),
                    .reward = config_.goal_reward == PythonReward::sparse ? &sparse_reward : &minus_distance};
    spec_.obs_dim = l.obs;
  }

  std::string name_;
  PythonEnvConfig config_;
  std::mutex mutex_;
  EnvSpec spec_;
  std::unique_ptr<Worker> spare_;
};

class PythonEnv final : public Env {
 public:
  explicit PythonEnv(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)),
        spec_(shared_->spec()),
        actions_(static_cast<std::size_t>(spec_.action.dim) * static_cast<std::size_t>(spec_.max_steps)) {}

  const EnvSpec& spec() const override { return spec_; }

  void reset(Rng& rng) override {
    seed_ = rng.below(std::numeric_limits<std::int32_t>::max());
    steps_ = 0;
    begun_ = 1;
    replay();
  }

  StepResult step(ActionRef action) override {
    const std::size_t size = static_cast<std::size_t>(action.size());
    if (steps_ < static_cast<std::uint64_t>(spec_.max_steps))
      std::copy_n(action.data(), size, actions_.begin() + static_cast<std::ptrdiff_t>(steps_ * size));
    ++steps_;
    std::copy_n(action.data(), size, memory() + layout().action_at());
    there_ = false;
    worker_->step();
    there_ = true;
    for (Index i = 0; i < action.size(); ++i) print_ = mixed(print_, std::bit_cast<std::uint64_t>(action(i)));
    const double* result = memory() + layout().reward_at();
    const Layout& l = layout();
    bool success = result[3] != 0;
    if (result[4] == 0 && l.goal > 0) {
      const Eigen::Map<const Eigen::VectorXd> achieved(memory() + l.achieved_at(), l.goal),
          desired(memory() + l.desired_at(), l.goal);
      success = spec_.goal.reached(achieved.cast<Scalar>(), desired.cast<Scalar>());
    }
    ended_ = result[2] != 0;  // truncated by itself: as a task's end that is none
    return {.reward = static_cast<Scalar>(result[0]), .terminated = result[1] != 0, .success = success};
  }

  bool truncates() const override { return ended_; }

  void observe(ObsOut out) const override {
    if (!worker_) {  // before the first episode
      out.obs.setZero();
      out.achieved.setZero();
      out.desired.setZero();
      return;
    }
    const Layout& l = worker_->layout();
    const double* m = worker_->memory();
    out.obs = Eigen::Map<const Eigen::VectorXd>(m, l.obs).cast<Scalar>();
    out.achieved = Eigen::Map<const Eigen::VectorXd>(m + l.achieved_at(), l.goal).cast<Scalar>();
    out.desired = Eigen::Map<const Eigen::VectorXd>(m + l.desired_at(), l.goal).cast<Scalar>();
  }

  void visit_state(StateVisitor& v) override {
    v.visit("seed", seed_);
    v.visit("steps", steps_);
    v.visit("begun", begun_);
    v.visit("actions", std::span(actions_));
    if (begun_ != 0 && (!there_ || print_ != fingerprint())) replay();
  }

 private:
  const Layout& layout() const { return worker_->layout(); }
  double* memory() { return worker_->memory(); }

  // The episode up to now, in a worker that is alive.
  void replay() {
    if (!there_ || !worker_) worker_ = shared_->worker();
    there_ = false;
    worker_->reset(seed_);
    const std::size_t size = static_cast<std::size_t>(spec_.action.dim);
    for (std::uint64_t i = 0; i < steps_; ++i) {
      std::copy_n(actions_.begin() + static_cast<std::ptrdiff_t>(i * size), size, memory() + layout().action_at());
      worker_->step();
    }
    there_ = true;
    ended_ = false;
    print_ = fingerprint();
  }

  static std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) { return (hash ^ word) * 0x100000001b3; }

  // Of seed and actions, FNV-1a.
  std::uint64_t fingerprint() const {
    std::uint64_t hash = mixed(0xcbf29ce484222325, seed_);
    const std::size_t n = static_cast<std::size_t>(steps_) * static_cast<std::size_t>(spec_.action.dim);
    for (std::size_t i = 0; i < std::min(n, actions_.size()); ++i)
      hash = mixed(hash, std::bit_cast<std::uint64_t>(actions_[i]));
    return hash;
  }

  std::shared_ptr<Shared> shared_;
  EnvSpec spec_;
  std::unique_ptr<Worker> worker_;
  std::uint64_t seed_ = 0, steps_ = 0, begun_ = 0;
  std::vector<double> actions_;         // of the episode
  bool there_ = false, ended_ = false;  // whether the worker is at seed_ and actions_
  std::uint64_t print_ = 0;
};

}  // namespace

EnvFactory python_factory(const std::string& name, const PythonEnvConfig& config) {
  auto shared = std::make_shared<Shared>(name, config);
  return [shared]() -> std::unique_ptr<Env> { return std::make_unique<PythonEnv>(shared); };
}

}  // namespace goalpost
