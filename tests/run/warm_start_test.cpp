// A level of HIRO begins with what an earlier run has learned.
#include "run/warm_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/check.h"
#include "run/policy_file.h"
#include "run/resume.h"
#include "run/runner.h"
#include "support/state.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

Experiment experiment(const std::string& agent, const std::vector<std::string>& set = {}) {
  const char common[] = R"(
name = "test"
[env]
name = "PointReach-v0"
[train]
total_steps = 20
learning_starts = 0
updates_per_step = 0.1
eval_every = 10
eval_episodes = 1
final_eval_episodes = 1
[agent]
)";
  TomlValues values = TomlValues::from_text(common + agent, "test");
  for (const std::string& s : set) values.set(s);
  return make_experiment(values);
}

const char kFlat[] = R"(algorithm = "sac"
batch_size = 4
sac.pi.hidden = [8]
sac.q.hidden = [8]
)";
const char kHiro[] = R"(algorithm = "hiro"
hiro.c = 5
hiro.learning_starts = 0
hiro.subgoal = { dims = [0, 1], limits = [1, 1] }
hiro.low = { batch_size = 4, buffer_size = 200, learner = "sac", sac.pi.hidden = [8], sac.q.hidden = [8] }
hiro.high = { batch_size = 4, buffer_size = 20, td3.pi.hidden = [8], td3.q.hidden = [8] }
)";

std::unique_ptr<Agent> make_agent(const Experiment& e, std::uint64_t seed) {
  const EnvSpec spec = e.env_factory()()->spec();
  return e.make_agent(spec, 1, Rng(seed));
}

// What a policy consists of, without the names of the scopes around it.
std::vector<std::vector<unsigned char>> numbers(Agent& agent, const std::string& begin) {
  test::SnapshotVisitor v;
  agent.visit_policy(v);
  std::vector<std::vector<unsigned char>> all;
  for (const auto& e : v.entries)
    if (e.name.starts_with(begin)) all.push_back(e.bytes);
  return all;
}

TEST(WarmStart, IsTheWholePolicyOfAFlatRunOrTheSameLevelOfHiro) {
  const TemporaryDirectory dir;
  Experiment flat = experiment(kFlat), hiro = experiment(kHiro);
  train_in_directory(flat, dir / "flat" / "seed_7");
  train_in_directory(hiro, dir / "hiro");
  const LoadedRun flat_run = load_run(dir / "flat" / "seed_7"), hiro_run = load_run(dir / "hiro");

  Experiment over_flat = experiment(kHiro, {"agent.hiro.low.policy=" + (dir / "flat").string() + "/seed_{seed}"});
  auto agent = make_agent(over_flat, 1);
  over_flat.seed = 7;
  load_warm_starts(*agent, over_flat);
  EXPECT_EQ(numbers(*agent, "low/"), numbers(*flat_run.agent, ""));

  const std::string path = (dir / "hiro").string();
  Experiment over_hiro = experiment(kHiro, {"agent.hiro.low.policy=" + path, "agent.hiro.high.policy=" + path});
  agent = make_agent(over_hiro, 1);
  load_warm_starts(*agent, over_hiro);
  EXPECT_EQ(numbers(*agent, "low/"), numbers(*hiro_run.agent, "low/"));
  EXPECT_EQ(numbers(*agent, "high/"), numbers(*hiro_run.agent, "high/"));

  // A frozen level ends a whole run as it began, also when the run is resumed.
  Experiment frozen =
      experiment(kHiro, {"agent.hiro.low.learns=never", "agent.hiro.low.policy=" + path, "agent.hiro.high.updates=1"});
  train_in_directory(frozen, dir / "frozen");
  EXPECT_EQ(numbers(*load_run(dir / "frozen").agent, "low/"), numbers(*hiro_run.agent, "low/"));
  std::filesystem::remove_all(dir / "hiro");
  resume_in_directory(dir / "frozen", {"train.total_steps=30"}, false);
  EXPECT_EQ(numbers(*load_run(dir / "frozen").agent, "low/"), numbers(*hiro_run.agent, "low/"));
}

TEST(WarmStart, SaysWhatDoesNotFit) {
  const TemporaryDirectory dir;
  Experiment flat = experiment(kFlat), normalized = experiment(kFlat, {"agent.normalizer.enabled=true"});
  train_in_directory(flat, dir / "flat");
  train_in_directory(normalized, dir / "normalized");
  const auto message = [&](const std::string& run, const std::vector<std::string>& more = {}) {
    std::vector<std::string> set = more;
    set.push_back("agent.hiro.low.policy=" + (dir / run).string());
    Experiment e = experiment(kHiro, set);
    const auto agent = make_agent(e, 1);
    return message_of<UsageError>([&] { load_warm_starts(*agent, e); });
  };
  EXPECT_THAT(message("nowhere"), HasSubstr("agent.hiro.low.policy = \"" + (dir / "nowhere").string() +
                                            "\": " + (dir / "nowhere").string() + " is not a run directory"));
  EXPECT_THAT(message("normalized"), HasSubstr("it has normalizer/"));
  EXPECT_EQ(message("flat", {"agent.hiro.low.sac.pi.hidden=[9]"}),
            "agent.hiro.low.policy = \"" + (dir / "flat").string() + "\": its pi/W0 is 8x6; expected 9x6");
  // The same shape, but other functions of it.
  EXPECT_THAT(message("flat", {"agent.hiro.low.sac.pi.activation=tanh"}),
              HasSubstr("its agent.sac.pi.activation is \"relu\"; expected \"tanh\", as "
                        "agent.hiro.low.sac.pi.activation is"));
}

}  // namespace
}  // namespace goalpost
