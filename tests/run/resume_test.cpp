// A run that is stopped, saved, loaded and continued is the run that was never stopped: every algorithm, several lanes,
// stops between any two parts of the loop.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "run/runner.h"
#include "storage/checkpoint.h"
#include "support/callbacks.h"
#include "support/temporary_directory.h"
#include "train/trainer.h"

namespace goalpost {
namespace {

struct Case {
  std::string name, toml;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const char kCommon[] = R"(
name = "test"
[train]
num_envs = 3
total_steps = 150
learning_starts = 30
updates_per_step = 0.4
eval_every = 40
eval_episodes = 4
)";

const Case kCases[] = {
    {"dqn", R"(overlap = false
[env]
name = "BitFlip-v0"
bits = 6
[agent]
algorithm = "dqn"
batch_size = 8
replay.buffer_size = 60
her.strategy = "future"
normalizer.enabled = true
dqn.q.hidden = [8]
dqn.target_every = 5
)"},
    {"dqn_cycles", R"(updates_per_step = 0
cycle_episodes = 4
cycle_updates = 5
[env]
name = "BitFlip-v0"
bits = 6
[agent]
algorithm = "dqn"
batch_size = 8
replay.buffer_size = 60
dqn.q.hidden = [8]
)"},
    {"ddpg", R"([env]
name = "PointReach-v0"
[agent]
algorithm = "ddpg"
batch_size = 8
ddpg.pi.hidden = [8]
ddpg.q.hidden = [8]
)"},
    {"td3_overlap", R"(overlap = true
[env]
name = "Pendulum-v1"
[agent]
algorithm = "td3"
batch_size = 8
td3.pi.hidden = [8]
td3.q.hidden = [8]
)"},
    {"sac", R"([env]
name = "Pendulum-v1"
[agent]
algorithm = "sac"
batch_size = 8
normalizer.enabled = true
sac.pi.hidden = [8]
sac.q.hidden = [8]
)"},
    {"hiro", R"([env]
name = "PointReach-v0"
task.max_steps = 17
[agent]
algorithm = "hiro"
hiro.c = 5
hiro.learning_starts = 40
hiro.next_subgoal = "decision"
hiro.low_relabeled = 0.3
hiro.subgoal = { dims = [0, 1], limits = [1, 1] }
hiro.intrinsic.reached = 0.3
hiro.intrinsic.at_subgoal = "end_segment"
hiro.pretraining.episodes = 2
hiro.low = { batch_size = 8, buffer_size = 90, td3.pi.hidden = [8], td3.q.hidden = [8] }
hiro.high = { batch_size = 4, buffer_size = 12, updates = 0.5, learner = "sac", sac.pi.hidden = [8], sac.q.hidden = [8] }
)"},
    {"hiro_warmup", R"(overlap = true
[env]
name = "Pendulum-v1"
[agent]
algorithm = "hiro"
hiro.c = 7
hiro.learning_starts = 0
hiro.subgoal = { dims = [0, 1, 2], limits = [1, 1, 2] }
hiro.low = { batch_size = 8, buffer_size = 1000, learner = "ddpg", ddpg.pi.hidden = [8], ddpg.q.hidden = [8] }
hiro.high = { batch_size = 4, buffer_size = 12, td3.pi.hidden = [8], td3.q.hidden = [8] }
)"},
    {"sac_fetch", R"([env]
name = "FetchPickAndPlace-v4"
task.max_steps = 9
[agent]
algorithm = "sac"
batch_size = 8
her.strategy = "final"
sac.pi.hidden = [8]
sac.q.hidden = [8]
)"},
};

std::string text_of(const Case& c) {
  // The first lines of a case go into [train], and may say again what kCommon says.
  std::string common = kCommon;
  if (c.toml.starts_with("updates_per_step")) common.erase(common.find("updates_per_step"), 23);
  return common + c.toml;
}

using Row = std::vector<double>;

struct Session {
  Experiment experiment;
  Rng rng{7};
  VectorEnv env, eval_env;
  std::unique_ptr<Agent> agent;
  std::vector<Row> rows;  // one per evaluation: what eval.csv and train.csv hold but for times
  FunctionCallback callback;
  Run run;
  int asked = 0, stop_at = -1;

  Session(const std::string& toml, std::uint64_t seed)
      : experiment(make_experiment(TomlValues::from_text(toml, "test"))),
        rng(seed),
        env(experiment.env_factory(), experiment.train.num_envs, rng.stream("train")),
        eval_env(experiment.env_factory(), 2, rng.stream("eval")),
        agent(experiment.make_agent(env.spec(), experiment.train.num_envs, rng.stream("agent"))),
        run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = Rng(7).stream("run"), .callbacks = {&callback}} {
    callback.evaluation = [this](const TrainProgress& p, const Evaluation& e, const Metrics& metrics) {
      Row row = {static_cast<double>(p.step),
                 static_cast<double>(p.episodes),
                 static_cast<double>(p.updates),
                 p.success,
                 p.success_any,
                 p.mean_return,
                 p.length,
                 e.success,
                 e.success_any,
                 e.mean_return,
                 e.length};
      for (const Metrics::Slot& m : metrics) row.push_back(m.mean());
      rows.push_back(std::move(row));
    };
    run.stop = [this] { return stop_at >= 0 && ++asked > stop_at; };
  }
  StateTraversal state() {
    return [this](StateVisitor& v) { run.visit_state(v); };
  }
  std::uint64_t hash() {
    run.state.progress.wall_seconds = 0;
    return state_hash(state());
  }
};

class Resume : public testing::TestWithParam<Case> {};

TEST_P(Resume, EqualsTheUninterruptedRun) {
  const TemporaryDirectory dir;
  const std::string toml = text_of(GetParam());
  Session whole(toml, 7);
  whole.stop_at = 1 << 30;
  ASSERT_EQ(train(whole.run, whole.experiment.train), TrainEnd::budget);
  ASSERT_EQ(whole.rows.size(), 4u);
  const std::uint64_t expected = whole.hash();
  const int questions = whole.asked;

  for (const int share : {0, 7, 23, 38, 55, 71, 86, 99}) {  // percent of the way, and so in the midst of all parts
    SCOPED_TRACE("stopped after " + std::to_string(share) + " %");
    std::vector<Row> rows;
    {
      Session first(toml, 7);
      first.stop_at = questions * share / 100;
      ASSERT_EQ(train(first.run, first.experiment.train), TrainEnd::interrupted);
      save_state(dir / "c.h5", "run", first.state());
      rows = first.rows;
    }
    Session second(toml, 8);  // another seed: nothing may be left of it but the run's own streams
    load_state(dir / "c.h5", "run", second.state());
    ASSERT_EQ(train(second.run, second.experiment.train), TrainEnd::budget);
    rows.insert(rows.end(), second.rows.begin(), second.rows.end());
    EXPECT_EQ(rows, whole.rows);
    EXPECT_EQ(second.hash(), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Resume, testing::ValuesIn(kCases), [](const auto& i) { return i.param.name; });

TEST(ResumeWithoutMemory, FillsTheMemoryAnew) {
  const TemporaryDirectory dir;
  const std::string toml = text_of(kCases[0]);
  Session first(toml, 7);
  train(first.run, first.experiment.train);
  const auto without = [](Session& s) { return [&s](StateVisitor& v) { s.run.visit_state(v, false); }; };
  save_state(dir / "small.h5", "run", without(first));
  save_state(dir / "large.h5", "run", first.state());
  EXPECT_LT(std::filesystem::file_size(dir / "small.h5"), std::filesystem::file_size(dir / "large.h5"));
  Session second(toml, 8);
  load_state(dir / "small.h5", "run", without(second));
  EXPECT_FALSE(second.agent->ready());
  second.experiment.train.total_steps += 60;
  EXPECT_EQ(train(second.run, second.experiment.train), TrainEnd::budget);
  EXPECT_TRUE(second.agent->ready());
}

// Neither learning from a handful of transitions, nor losing the updates that were due.
TEST(ResumeWithoutMemory, LearnsAgainWhenTheMemoryHoldsWhatTheWarmUpCollects) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const TemporaryDirectory dir;
    const std::string toml = text_of(c);
    Session first(toml, 7);
    first.run.stop = [&] { return first.run.progress().step >= 80 && first.run.state.updates_due >= 1; };
    ASSERT_EQ(train(first.run, first.experiment.train), TrainEnd::interrupted);
    const double due = first.run.state.updates_due;
    const auto without = [](Session& s) { return [&s](StateVisitor& v) { s.run.visit_state(v, false); }; };
    save_state(dir / "c.h5", "run", without(first));

    Session second(toml, 8);
    load_state(dir / "c.h5", "run", without(second));
    const TrainProgress begin = second.run.progress();
    // Of a hierarchy one transition in each of three lanes may wait for the next decision, then as now.
    const std::int64_t starts = c.name == "hiro" ? 40 - 6 : c.name == "hiro_warmup" ? 30 - 6 : 30;
    std::int64_t learned_at = 0;
    second.callback.step = [&](const TrainProgress& p) {
      if (learned_at == 0 && p.updates > begin.updates) learned_at = p.step;
    };
    EXPECT_EQ(train(second.run, second.experiment.train), TrainEnd::budget);
    EXPECT_GE(learned_at - begin.step, starts);
    EXPECT_LE(learned_at - begin.step, starts + 27);  // HER waits for the end of an episode
    EXPECT_GE(static_cast<double>(second.run.progress().updates - begin.updates), due);
  }
}

}  // namespace
}  // namespace goalpost
