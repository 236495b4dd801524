#include "run/training_check.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/communicator.h"
#include "storage/episode_recorder.h"
#include "train/evaluation.h"

namespace goalpost {
namespace {

// Bytes that an object takes from the heap; 0 where the allocator does not count them, as under sanitizers. The first
// object is left out: it also loads what all of them share.
template <class Make>
std::uint64_t heap_growth(Make make) {
  const auto used = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const auto first = make();
  const std::size_t before = used();
  const auto second = make();
  const std::size_t after = used();
  return after > before ? after - before : 0;
}

// Weights of all networks of an algorithm's settings, those of learners that a level does not use among them; outputs
// of the layers of the widest one; and the smallest batch.
class CountWeights final : public ConfigVisitor {
 public:
  explicit CountWeights(int inputs) : inputs_(inputs) {}
  void visit(const FieldInfo& info, std::vector<int>& value) override {
    if (info.name != "hidden") return;
    double n = inputs_, outputs = 0;
    for (const int width : value) {
      weights += n * width;
      outputs += n = width;
    }
    widest = std::max(widest, outputs);
  }
  void visit(const FieldInfo&, bool&) override {}
  void visit(const FieldInfo& info, int& value) override {
    if (info.name == "batch_size") batch = std::min(batch.value_or(value), value);
  }
  void visit(const FieldInfo&, std::int64_t&) override {}
  void visit(const FieldInfo&, float&) override {}
  void visit(const FieldInfo&, double&) override {}
  void visit(const FieldInfo&, std::optional<double>&) override {}
  void visit(const FieldInfo&, std::string&) override {}
  void visit(const FieldInfo&, std::vector<double>&) override {}
  void visit(const FieldInfo&, std::vector<std::string>&) override {}
  void visit_enum(const FieldInfo&, int&, EnumNames) override {}
  void enter(const FieldInfo&) override {}
  void leave() override {}
  double weights = 0, widest = 0;
  std::optional<int> batch = {};

 private:
  double inputs_;
};

// Whether a setting belongs to a learner or an optimizer that the agent does not use.
bool is_unused(const std::map<std::string, std::string>& settings, const std::string& path) {
  for (std::size_t begin = 0, end = path.find('.'); end != path.npos; begin = end + 1, end = path.find('.', begin)) {
    const std::string part = path.substr(begin, end - begin);
    for (const char* choice : {"learner", "optimizer"})
      if (const auto found = settings.find(path.substr(0, begin) + choice);
          found != settings.end() && found->second != fmt::format("\"{}\"", part))
        return true;
  }
  return false;
}

// Learning rates that are all 0, and targets that do not move: warnings. @param updates maximum number in the run
void check_learners(const Experiment& e, double updates, std::vector<std::string>& warnings) {
  const std::map<std::string, std::string> settings = e.settings();
  const auto number = [&](const std::string& path) {
    const auto found = settings.find(path);
    return found == settings.end() ? 0 : std::stod(found->second);
  };
  // A level of a hierarchy has a share of the agent's updates: agent.hiro.low.updates of
  // agent.hiro.low.td3.policy_delay.
  const auto updates_of = [&](const std::string& path) {
    const std::size_t learner = path.rfind('.', path.rfind('.') - 1);
    const std::string share = path.substr(0, learner) + ".updates";
    return settings.contains(share) ? updates * number(share) : updates;
  };
  std::vector<std::string> rates;
  bool learns = false;
  for (const auto& [path, value] : settings) {
    if (!path.starts_with("agent.") || is_unused(settings, path)) continue;
    if (path.ends_with(".lr") && !path.ends_with(".alpha_adam.lr")) {
      rates.push_back(path + " = 0");
      learns = learns || number(path) > 0 || (number(path + "_steps") > 0 && number(path + "_end") > 0);
    } else if (path.ends_with(".tau") && number(path) == 0) {
      warnings.push_back(fmt::format("{} = 0: the target network never moves", path));
    } else if (const bool target = path.ends_with(".target_every"); target || path.ends_with(".policy_delay")) {
      if (const double most = updates_of(path); number(path) > most && most >= 1)
        warnings.push_back(fmt::format("{} = {} is more than the run's {:.0f} updates: {} never moves", path, value,
                                       std::floor(most), target ? "the target network" : "the policy"));
    }
  }
  if (!learns && !rates.empty()) warnings.push_back(fmt::format("{}: nothing is learned", fmt::join(rates, ", ")));
}

void check_workers(const Experiment& e, TrainingCheck& check) {
  const TrainConfig& t = e.train;
  if (t.workers == 1) return;
  if (find_algorithm(e.algorithm).off_policy(*e.agent_settings) == nullptr)
    check.problems.push_back(fmt::format("train.workers = {}, but {} cannot be trained by several workers; expected 1",
                                         t.workers, e.algorithm));
  if (t.overlap)
    check.problems.push_back(fmt::format(
        "train.workers = {} and train.overlap = true: workers wait for each other; expected false", t.workers));
  if (t.record != RecordMode::none)
    check.warnings.push_back(
        fmt::format("train.record: the episodes of the first of train.workers = {} workers are recorded", t.workers));
}

}  // namespace

TrainingCheck check_training(const Experiment& e) {
  TrainingCheck check;
  const TrainConfig& t = e.train;
  const std::unique_ptr<Env> env = e.env_factory()();
  const GoalSpace& goal = env->spec().goal;
  const std::int64_t all_lanes = std::int64_t(t.num_envs) * t.workers;
  TrainingPlan plan{
      .spec = env->spec(), .lanes = t.num_envs, .steps = (t.total_steps + all_lanes - 1) / all_lanes * all_lanes};
  if (goal.dim > 0 && goal.reward != nullptr && !goal.minus_before) {
    Rng rng(static_cast<std::uint64_t>(e.seed));
    env->reset(rng);
    Vector obs(plan.spec.obs_dim), achieved(goal.dim), desired(goal.dim);
    env->observe({obs, achieved, desired});
    plan.start_reward = goal.reward(achieved, desired, goal.radius);
  }
  find_algorithm(e.algorithm).check_training(*e.agent_settings, plan, check);
  check_workers(e, check);
  // At most: every step may end an episode, and every episode may take until the time limit.
  const double lanes = static_cast<double>(all_lanes), most_episodes = static_cast<double>(t.total_episodes) + lanes;
  double steps = static_cast<double>(plan.steps);
  if (t.total_episodes > 0) steps = std::min(steps, most_episodes * plan.spec.max_steps);
  const double learning = std::max(0.0, steps - std::floor(static_cast<double>(t.learning_starts) / lanes) * lanes),
               episodes = t.total_episodes > 0 ? std::min(steps, most_episodes) : steps,
               updates = t.cycle_episodes > 0 ? std::floor(episodes / t.cycle_episodes) * t.cycle_updates
                                              : t.updates_per_step * learning;
  const auto nothing = [&](const std::string& why) { check.warnings.push_back(why + ": nothing is learned"); };
  if (t.cycle_episodes == 0 && t.updates_per_step == 0)
    nothing("train.updates_per_step = 0 and train.cycle_episodes = 0");
  else if (plan.steps <= t.learning_starts)
    nothing(fmt::format("train.total_steps = {} ends the run before learning starts, after train.learning_starts = {}",
                        t.total_steps, t.learning_starts));
  else if (t.total_episodes > 0 && t.total_episodes < t.cycle_episodes)
    nothing(fmt::format("train.total_episodes = {} ends the run before its first cycle of train.cycle_episodes = {}",
                        t.total_episodes, t.cycle_episodes));
  else if (plan.steps < t.cycle_episodes)
    nothing(fmt::format("train.total_steps = {} ends the run before its first cycle of train.cycle_episodes = {}",
                        t.total_steps, t.cycle_episodes));
  else if (t.cycle_episodes == 0 && updates < 1 - 1e-9)
    nothing(
        fmt::format("train.updates_per_step = {} makes no update due in the run's {:.0f} transitions after "
                    "train.learning_starts = {}",
                    t.updates_per_step, learning, t.learning_starts));
  check_learners(e, updates, check.warnings);
  const int before = t.eval_at_start ? 1 : 0;
  const double evaluations = before + std::floor(steps / static_cast<double>(t.eval_every));
  if (t.stop_success > 0 && evaluations < std::max(t.stop_evals, before + 1))
    check.warnings.push_back(fmt::format(
        "train.stop_success = {} asks for train.stop_evals = {} evaluations, but with train.eval_every = {} "
        "there are at most {:.0f}{}: the run does not end early",
        t.stop_success, t.stop_evals, t.eval_every, evaluations, before > 0 ? ", one of them before training" : ""));
  return check;
}

MemoryNeed training_memory(const Experiment& e, bool resumed) {
  MemoryNeed need;
  const TrainConfig& t = e.train;
  const EnvFactory train = e.env_factory(), eval = e.eval_env_factory();
  const std::unique_ptr<Env> env = train();
  const EnvSpec spec = env->spec();
  find_algorithm(e.algorithm).add_memory(*e.agent_settings, spec, need);
  const std::uint64_t buffers = need.bytes();
  CountWeights count(spec.state_dim());
  e.agent_settings->clone()->visit(count);
  // Of each the weight, its gradient, two moments of the optimizer and a target: at least.
  need.add("networks", 5 * sizeof(Scalar), static_cast<std::uint64_t>(std::min(count.weights, 1e18)));
  // An update keeps the outputs of every layer and their gradients for the whole batch: of one network at least.
  need.add("activations", 2 * sizeof(Scalar) * static_cast<std::uint64_t>(count.batch.value_or(0)),
           static_cast<std::uint64_t>(std::min(count.widest, 1e18)));
  if (resumed && t.checkpoint_replay)
    need.add("reading the checkpoint", buffers / static_cast<std::uint64_t>(t.num_envs));  // one lane at a time
  const auto lanes = static_cast<std::uint64_t>(t.num_envs);
  const EnvSpec eval_spec = eval()->spec();
  const auto share = [&](int episodes) {
    return static_cast<std::uint64_t>((evaluation_lanes(episodes, eval_spec) + t.workers - 1) / t.workers);
  };
  const std::uint64_t eval_lanes = share(t.eval_episodes);
  need.add("environments", heap_growth([&] { return train(); }), lanes);
  const std::uint64_t one = heap_growth([&] { return eval(); });
  need.add("environments of evaluations", one, eval_lanes + share(t.final_eval_episodes));
  if (t.record != RecordMode::none) {
    need.add("recorder", EpisodeStage::bytes(spec), lanes);
    need.add("recorder", EpisodeStage::bytes(eval_spec), eval_lanes);
  }
  // The workers that this machine hosts, at least.
  need.multiply(static_cast<std::uint64_t>((t.workers * job().ranks_here() + job().ranks() - 1) / job().ranks()));
  return need;
}

void check_memory(const Experiment& e, bool resumed, const MemoryLimit& limit) {
  if (const std::string problem = training_memory(e, resumed).problem(limit); !problem.empty())
    throw UsageError(fmt::format("{} {}; reduce the largest part", e.name, problem));
}

}  // namespace goalpost
