// A policy acts in NumPy, ONNX and C as it does here, and policies of other programs act here as they do there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/rng.h"
#include "exchange/arrays.h"
#include "exchange/onnx_evaluator.h"
#include "exchange/pickle.h"
#include "policy/policy.h"
#include "render/renderer.h"
#include "run/policy_file.h"
#include "storage/checkpoint.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using std::filesystem::exists;
using test::Tensor;
using testing::HasSubstr;

constexpr int kLanes = 10, kSteps = 100;  // 1,000 observations
constexpr double kTolerance = 1e-5;       // of the range of an action

void write_floats(const std::filesystem::path& file, const Matrix& m) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(m.data()), static_cast<std::streamsize>(m.size() * sizeof(float)));
}

Matrix read_floats(const std::filesystem::path& file, Index rows) {
  const std::string bytes = content(file);
  Matrix m(rows, static_cast<Index>(bytes.size() / sizeof(float)) / std::max<Index>(rows, 1));
  std::memcpy(m.data(), bytes.data(), static_cast<std::size_t>(m.size()) * sizeof(float));
  return m;
}

// The largest difference, in units of the range of each action.
double difference(const Policy& p, const Matrix& a, const Matrix& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return 1e9;
  if (p.choices > 0) return (a - b).cwiseAbs().maxCoeff();
  return ((a - b).array().colwise() / (p.high - p.low).array()).abs().maxCoeff();
}

Tensor rows_of(const Matrix& m) {
  Tensor t{{m.cols(), m.rows()}, {}};
  for (Index j = 0; j < m.cols(); ++j)
    for (Index i = 0; i < m.rows(); ++i) t.values.push_back(m(i, j));
  return t;
}
Matrix matrix_of(const Tensor& t, Index rows) {
  Matrix m(rows, std::ssize(t.values) / rows);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<Scalar>(t.values[static_cast<std::size_t>(i)]);
  return m;
}

struct Case {
  const char* name;
  std::string training;  // arguments of `goalpost train`
  bool hierarchical = false;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

const char kHiro[] =
    "point_reach_hiro --steps 300 --set train.final_eval_episodes=1 --set train.eval_episodes=1 --set "
    "agent.hiro.learning_starts=200 --set train.learning_starts=100 ";
const std::vector<Case> kCases = {
    {"sac",
     "sac PointReach-v0 --steps 300 --set learning_starts=100 --set agent.normalizer.enabled=true --set "
     "agent.sac.pi.hidden=[32,16] --set agent.sac.q.hidden=[16] --set agent.sac.pi.layer_norm=true"},
    {"td3",
     "td3 Pendulum-v1 --steps 300 --set learning_starts=100 --set agent.td3.pi.hidden=[32,16] --set "
     "agent.td3.q.hidden=[16] --set agent.td3.pi.activation=tanh --set agent.td3.pi.input_norm=true"},
    {"ddpg_relay",
     "fetch_push_fast --steps 900 --set train.learning_starts=500 --set train.final_eval_episodes=1 --set "
     "train.eval_episodes=1 --set agent.ddpg.pi.hidden_norm=true --set agent.ddpg.pi.hidden=[32,16]"},
    {"dqn", std::string("bit_flip_her --steps 640") + kSmallRun},
    {"hiro", kHiro, true},
    {"hiro_point",
     std::string(kHiro) + "--set agent.hiro.subgoal_input=point --set agent.hiro.hidden_from_low=[1,0] --set "
                          "agent.hiro.first_subgoal_zero=true",
     true},
    {"hiro_reached",
     std::string(kHiro) + "--set agent.hiro.intrinsic.at_subgoal=end_segment --set agent.hiro.intrinsic.reached=1.5 "
                          "--set agent.hiro.intrinsic.reward=distance --set agent.hiro.low.learner=td3",
     true},
    {"hiro_mean_square",
     std::string(kHiro) + "--set agent.hiro.intrinsic.at_subgoal=end_segment --set agent.hiro.intrinsic.reached=1.5 "
                          "--set agent.hiro.intrinsic.reward=mean_square",
     true},
};

// A trained policy, observations as of an environment, and what the agent does in them.
class Exchange : public ProgramTest, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    const Outcome o = run("train " + GetParam().training + " --quiet --out r");
    ASSERT_EQ(o.status, 0) << o.err;
    policy_ = std::make_unique<Policy>(Policy::read(here_ / "r"));
    const Policy& p = *policy_;
    Rng rng(7);
    obs_ = Matrix(p.obs_size, kLanes * kSteps);
    goal_ = Matrix(p.goal_size, kLanes * kSteps);
    rng.fill_uniform(-3, 3, obs_);
    rng.fill_uniform(-2, 2, goal_);
    LoadedRun run = load_run(here_ / "r");
    actions_ = Matrix(p.action_size(), kLanes * kSteps);
    for (int step = 0; step < kSteps; ++step) {
      ObsBatch batch{obs_.middleCols(step * kLanes, kLanes), Matrix::Zero(p.goal_size, kLanes),
                     goal_.middleCols(step * kLanes, kLanes)};
      run.agent->act(batch, first(step), Mode::exploit, actions_.middleCols(step * kLanes, kLanes));
    }
    if (p.choices > 0) return;
    for (Index j = 0; j < actions_.cols(); ++j)
      actions_.col(j) = p.low.array() + (actions_.col(j).array() + 1) / 2 * (p.high - p.low).array();
  }
  // Lane i begins an episode at steps 0 and 31 + i.
  static std::vector<std::uint8_t> first(int step) {
    std::vector<std::uint8_t> flags(kLanes);
    for (int i = 0; i < kLanes; ++i) flags[i] = step == 0 || step == 31 + i;
    return flags;
  }
  std::string export_to(const std::string& file) {
    const Outcome o = run("policy export r --out " + file);
    EXPECT_EQ(o.status, 0) << o.err;
    return (here_ / file).string();
  }
  void write_inputs() {
    write_floats(here_ / "obs.f32", obs_);
    write_floats(here_ / "goal.f32", goal_);
  }

  std::unique_ptr<Policy> policy_;
  Matrix obs_, goal_, actions_;  // a column for each observation; step by step, lane by lane
};

TEST_P(Exchange, ActsAsItsAgent) {
  PolicyMemory memory(*policy_, kLanes);
  Matrix actions(actions_.rows(), actions_.cols());
  for (int step = 0; step < kSteps; ++step) {
    for (int i = 0; i < kLanes; ++i)
      if (first(step)[i]) memory.begin_episode(i);
    policy_->act(obs_.middleCols(step * kLanes, kLanes), goal_.middleCols(step * kLanes, kLanes), memory,
                 actions.middleCols(step * kLanes, kLanes));
  }
  EXPECT_LE(difference(*policy_, actions, actions_), kTolerance);
  const double most = (actions_.colwise() - actions_.col(0)).cwiseAbs().maxCoeff();
  EXPECT_GT(most, 0.01) << "the actions are all the same";
}

TEST_P(Exchange, ActsInOnnx) {
  const test::OnnxModel model(export_to("p.onnx"));
  Matrix actions(actions_.rows(), actions_.cols());
  Tensor subgoal, steps{{kLanes, 1}, std::vector<double>(kLanes)};
  if (policy_->subgoals)
    subgoal = {{kLanes, policy_->subgoals->limits.size()},
               std::vector<double>(static_cast<std::size_t>(kLanes * policy_->subgoals->limits.size()))};
  for (int step = 0; step < kSteps; ++step) {
    std::map<std::string, Tensor> in = {{"observation", rows_of(obs_.middleCols(step * kLanes, kLanes))}};
    if (policy_->goal_size > 0) in["desired_goal"] = rows_of(goal_.middleCols(step * kLanes, kLanes));
    if (policy_->subgoals) {
      for (int i = 0; i < kLanes; ++i)
        if (first(step)[i]) steps.values[i] = 0;
      in["subgoal"] = subgoal;
      in["steps"] = steps;
    }
    std::map<std::string, Tensor> out = model(in);
    actions.middleCols(step * kLanes, kLanes) = matrix_of(out.at("action"), actions.rows());
    if (!policy_->subgoals) continue;
    subgoal = out.at("next_subgoal");
    steps = out.at("next_steps");
  }
  EXPECT_LE(difference(*policy_, actions, actions_), kTolerance);
}

TEST_P(Exchange, SamplesAsOnnxWithTheSameNoise) {
  const test::OnnxModel model(export_to("p.onnx"));
  PolicyMemory memory(*policy_, kLanes);
  Matrix noise(policy_->action_size(), kLanes), actions(noise.rows(), kLanes);
  Rng rng(3);
  for (Index i = 0; i < noise.size(); ++i) noise.data()[i] = rng.normal();
  const Matrix obs = obs_.leftCols(kLanes), goal = goal_.leftCols(kLanes);
  if (!policy_->is_stochastic()) {
    EXPECT_THROW(policy_->act(obs, goal, memory, actions, &noise), std::invalid_argument);
    return;
  }
  policy_->act(obs, goal, memory, actions, &noise);
  std::map<std::string, Tensor> in = {{"observation", rows_of(obs)}};
  if (policy_->goal_size > 0) in["desired_goal"] = rows_of(goal);
  if (policy_->subgoals) {
    const Index size = policy_->subgoals->limits.size();
    in["subgoal"] = {{kLanes, size}, std::vector<double>(static_cast<std::size_t>(kLanes * size))};
    in["steps"] = {{kLanes, 1}, std::vector<double>(kLanes)};
  }
  // The noise of the high level has another size; its sampled sub-goal is not used.
  if (policy_->subgoals && policy_->subgoals->limits.size() != noise.rows())
    GTEST_SKIP() << "the evaluator has one noise for both levels, which differ in size";
  const Matrix sampled = matrix_of(model(in, rows_of(noise)).at("sampled_action"), noise.rows());
  EXPECT_LE(difference(*policy_, sampled, actions), kTolerance);
  EXPECT_GT(difference(*policy_, actions_.leftCols(kLanes), actions), 100 * kTolerance);
}

TEST_P(Exchange, ActsInC) {
  export_to("p.h");
  const Policy& p = *policy_;
  const std::string in = p.goal_size > 0 ? "obs, goal" : "obs";
  std::string act = p.choices > 0 ? "action[0] = (float)policy_act(" + in + ");" : "policy_act(" + in + ", action);";
  std::string begin;
  if (p.subgoals) {
    act = "policy_act(&state[lane], " + in + ", action);";
    begin = "if (step == 0 || step == 31 + lane) policy_begin(&state[lane]);";
  }
  std::ofstream(here_ / "main.c") << R"(#include <stdio.h>
#include "p.h"
int main(void) {
  FILE *o = fopen("obs.f32", "rb"), *g = fopen("goal.f32", "rb"), *a = fopen("action.f32", "wb");
  static float obs[policy_obs_size], goal[policy_goal_size + 1], action[policy_action_size];
)" << (p.subgoals ? "  static policy_state state[10];\n" : "")
                                  << R"(  for (int step = 0; step < 100; ++step)
    for (int lane = 0; lane < 10; ++lane) {
      if (fread(obs, 4, policy_obs_size, o) != policy_obs_size) return 2;
      if (fread(goal, 4, policy_goal_size, g) != policy_goal_size) return 2;
      )" << begin << "\n      " << act
                                  << R"(
      fwrite(action, 4, policy_action_size, a);
    }
  return fclose(a) != 0 || policy_check();
}
)";
  write_inputs();
  const std::string there = "cd '" + here_.path().string() + "' && ";
  ASSERT_EQ(std::system((there + "cc -std=c99 -O1 -Wall -Wextra -Werror main.c -o main -lm && ./main").c_str()), 0);
  EXPECT_LE(difference(p, read_floats(here_ / "action.f32", p.action_size()), actions_), kTolerance);
}

TEST_P(Exchange, ActsInNumPy) {
  export_to("p.npz");
  export_to("p.safetensors");
  // The scripts that the page shows.
  const std::string page = content(GOALPOST_SOURCE "/src/exchange/README.md");
  const auto script = [&](const std::string& begin) {
    const std::size_t at = page.find(begin), end = page.find("```", at);
    EXPECT_NE(at, page.npos) << begin;
    return page.substr(at, end - at);
  };
  std::ofstream(here_ / "flat.py") << script("import json\n");
  std::ofstream(here_ / "hiro.py") << script("from flat import");
  std::ofstream(here_ / "main.py") << R"(
import json, sys
import numpy as np
import flat, hiro
p = flat.load("p.npz")
obs = np.fromfile("obs.f32", "<f4").reshape(100, 10, -1)
goal = np.fromfile("goal.f32", "<f4")
goal = goal.reshape(100, 10, -1) if goal.size else None
actions = []
state = hiro.begin(p, 10) if "subgoals" in p["layout"] else None
for step in range(100):
    g = None if goal is None else goal[step]
    if state is None:
        actions.append(flat.act(p, obs[step], g))
        continue
    state[1][[i for i in range(10) if step in (0, 31 + i)]] = 0
    actions.append(hiro.act(p, obs[step], g, state))
np.concatenate(actions).astype("<f4").tofile("action.f32")
# The same arrays in safetensors
raw = open("p.safetensors", "rb").read()
n = int.from_bytes(raw[:8], "little")
header = json.loads(raw[8 : 8 + n])
assert json.loads(header.pop("__metadata__")["layout"]) == p["layout"]
assert set(header) == set(p) - {"layout"}, header
for name, t in header.items():
    begin, end = t["data_offsets"]
    there = np.frombuffer(raw[8 + n + begin : 8 + n + end], "<f4").reshape(t["shape"])
    assert there.shape == p[name].shape and (there == p[name]).all(), name
)";
  write_inputs();
  ASSERT_EQ(std::system(("cd '" + here_.path().string() + "' && /usr/bin/python3 main.py").c_str()), 0);
  EXPECT_LE(difference(*policy_, read_floats(here_ / "action.f32", policy_->action_size()), actions_), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Policies, Exchange, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

struct ForeignCase {
  const char *kind, *env, *sizes, *file;
  bool normalized;
};

class Import : public ProgramTest, public testing::WithParamInterface<ForeignCase> {
 protected:
  void make(const std::string& kind, const std::string& sizes) {
    const std::string command = "cd '" + here_.path().string() +
                                "' && /usr/bin/python3 " GOALPOST_SOURCE "/tests/exchange/foreign.py " + kind + " . " +
                                sizes;
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
};

TEST_P(Import, ActsAsItDidThere) {
  const ForeignCase& c = GetParam();
  make(c.kind, c.sizes);
  const std::string normalizer = c.normalized ? " --normalizer normalizer.pkl" : "";
  const Outcome o = run(std::string("policy import ") + c.file + " --env " + c.env + normalizer + " --out r");
  ASSERT_EQ(o.status, 0) << o.err;
  const Policy p = Policy::read(here_ / "r");
  const Matrix obs = read_floats(here_ / "obs.f32", p.obs_size), goal = read_floats(here_ / "goal.f32", p.goal_size);
  PolicyMemory memory(p, obs.cols());
  Matrix actions(p.action_size(), obs.cols()), there = read_floats(here_ / "action.f32", p.action_size());
  p.act(obs, p.goal_size > 0 ? goal : Matrix::Zero(0, obs.cols()), memory, actions);
  if (p.choices == 0)
    for (Index j = 0; j < there.cols(); ++j)
      there.col(j) = p.low.array() + (there.col(j).array() + 1) / 2 * (p.high - p.low).array();
  EXPECT_LE(difference(p, actions, there), kTolerance);
  // It is a policy as any other, but no run to resume.
  const std::string policy = content(here_ / "r/policy.h5");
  expect_refusal("train --resume r", "cannot be resumed");
  EXPECT_EQ(content(here_ / "r/policy.h5"), policy);
  EXPECT_EQ(run("evaluate r --episodes 2").status, 0) << errors();
  EXPECT_THAT(run("policy info r").out, HasSubstr(c.env));
}

INSTANTIATE_TEST_SUITE_P(Programs, Import,
                         testing::Values(ForeignCase{"sac", "FetchReach-v4", "10 3 4 0 1 2", "policy.zip", true},
                                         ForeignCase{"td3", "FetchPush-v4", "25 3 4 3 4 5", "policy.zip", true},
                                         ForeignCase{"ddpg", "Pendulum-v1", "3 0 1", "policy.zip", false},
                                         ForeignCase{"dqn", "BitFlip-v0", "10 10 10 0 1 2 3 4 5 6 7 8 9", "policy.zip",
                                                     true},
                                         ForeignCase{"her", "FetchPickAndPlace-v4", "25 3 4", "model.pt", false}),
                         [](const auto& info) { return std::string(info.param.kind); });

TEST_F(Import, RunsNothingThatAFileNames) {
  make("evil", "10 3 4 0 1 2");
  EXPECT_EQ(run("policy import policy.zip --env FetchReach-v4 --out r").status, 0) << errors();
  EXPECT_FALSE(std::filesystem::exists(here_ / "evil"));
}

TEST_F(Import, RefusesWhatDoesNotFit) {
  make("sac", "10 3 4 0 1 2");
  expect_refusal("policy import policy.zip --env FetchReach-v4", "policy import: --out is missing");
  expect_refusal("policy import policy.zip --out r", "policy import: --env is missing");
  expect_refusal("policy import policy.zip --env FetchPush-v4 --out r",
                 "the network takes 16 numbers; expected 28 (observation and desired goal) or 31");
  expect_refusal("policy import policy.zip --env Pendulum-v1 --out r", "takes 16 numbers; expected 3 observations");
  expect_refusal("policy import normalizer.pkl --env FetchReach-v4 --out r", "this is no file of torch.save");
  expect_refusal("policy import policy.zip --normalizer policy.zip --env FetchReach-v4 --out r", "policy.zip");
  EXPECT_FALSE(std::filesystem::exists(here_ / "r"));
  std::filesystem::create_directory(here_ / "r");
  expect_refusal("policy import policy.zip --env FetchReach-v4 --out r", "r exists; expected a new directory");
  make("gsde", "10 3 4 0 1 2");
  expect_refusal("policy import policy.zip --env FetchReach-v4 --out s", "its actor.log_std belongs to a network");
  make("use_sde", "10 3 4 0 1 2");
  expect_refusal("policy import policy.zip --env FetchReach-v4 --out s", "its use_sde is true");
}

TEST_F(Import, DamageIsASentence) {
  make("her", "10 3 4");
  const std::string whole = content(here_ / "model.pt");
  for (std::size_t size = 1; size < whole.size(); size += size / 3 + 1) {
    set_content(here_ / "cut.pt", whole.substr(0, size));
    EXPECT_EQ(run("policy import cut.pt --env FetchReach-v4 --out r").status, 2) << size << errors();
  }
  Rng rng(5);
  for (int i = 0; i < 60; ++i) {  // flipped bytes give a sentence or a policy of other numbers
    std::string changed = whole;
    changed[static_cast<std::size_t>(rng.below(700))] = static_cast<char>(rng.below(256));
    set_content(here_ / "changed.pt", changed);
    const int status = run("policy import changed.pt --env FetchReach-v4 --out r").status;
    EXPECT_TRUE(status == 2 || status == 0) << status << errors();
    std::filesystem::remove_all(here_ / "r");
  }
}

TEST_F(Import, ExportsSayWhatIsWrong) {
  ASSERT_EQ(run("train sac Pendulum-v1 --steps 10 --quiet --out r").status, 0) << errors();
  expect_refusal("policy export r", "policy export: --out is missing");
  expect_refusal("policy export r --out p.onx", "expected .npz, .safetensors, .onnx or .h (C); did you mean .onnx?");
  expect_refusal("policy export r --out p.h --name 1p", "--name 1p: expected letters, digits and _");
  expect_refusal("policy export nowhere --out p.h", "nowhere: there is no such file");
  expect_refusal("policy export r/config.toml --out p.h", "r/config.toml");
  set_content(here_ / "there.npz", "");
  expect_refusal("policy export r --out there.npz", "there.npz");
}

bool has_python_module() {
  const std::filesystem::directory_iterator files(std::filesystem::path(GOALPOST_PROGRAM).parent_path());
  return std::any_of(begin(files), end(files),
                     [](const auto& entry) { return entry.path().filename().string().starts_with("_goalpost."); });
}

// The module that Python imports, where it was built.
class PythonModule : public ProgramTest {
 protected:
  void SetUp() override {
    if (!has_python_module())
      GTEST_SKIP() << "pybind11 or Python's headers are missing: this build has no Python module";
  }
  int python(const std::string& test) {
    const std::string folder = std::filesystem::path(GOALPOST_PROGRAM).parent_path();
    return std::system(("cd '" + here_.path().string() + "' && PYTHONPATH='" + folder +
                        "' /usr/bin/python3 " GOALPOST_SOURCE "/tests/exchange/module_test.py " + test)
                           .c_str());
  }
};

TEST_F(PythonModule, HasGymnasiumsEnv) {
  EXPECT_EQ(python("env"), 0);
  EXPECT_EQ(python("first_reset"), 0);
  EXPECT_EQ(python("settings"), 0);
  EXPECT_EQ(python("gymnasium"), 0);
}
TEST_F(PythonModule, HasGymnasiumsVectorEnv) { EXPECT_EQ(python("vector"), 0); }
TEST_F(PythonModule, Renders) {
  if (!renderer_problem().empty()) GTEST_SKIP() << renderer_problem();
  EXPECT_EQ(python("render"), 0);
}
TEST_F(PythonModule, ReadsRuns) {
  ASSERT_EQ(run(std::string("train bit_flip_her --steps 640 --out r --quiet") + kSmallRun).status, 0);
  EXPECT_EQ(python("runs"), 0);
}

TEST_P(Exchange, ActsInPython) {
  if (!has_python_module()) GTEST_SKIP() << "pybind11 or Python's headers are missing: this build has no Python module";
  const std::filesystem::path folder = std::filesystem::path(GOALPOST_PROGRAM).parent_path();
  write_inputs();
  write_floats(here_ / "action.f32", actions_);
  EXPECT_EQ(std::system(("cd '" + here_.path().string() + "' && PYTHONPATH='" + folder.string() +
                         "' /usr/bin/python3 " GOALPOST_SOURCE "/tests/exchange/module_test.py predict")
                            .c_str()),
            0);
}

// Training on an environment that is written in Python.
class PythonEnvironment : public ProgramTest {
 protected:
  void SetUp() override {
    std::filesystem::copy_file(GOALPOST_SOURCE "/tests/exchange/pendulum.py", here_ / "pendulum.py");
  }
  // The processes that run it.
  std::vector<pid_t> workers(pid_t of) {
    std::vector<pid_t> pids;
    std::istringstream text(content("/proc/" + std::to_string(of) + "/task/" + std::to_string(of) + "/children"));
    for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
    return pids;
  }
  const std::string python_ = " --set env.interpreter=/usr/bin/python3";
  const std::string small_ =
      " --set agent.sac.pi.hidden=[16] --set agent.sac.q.hidden=[16] --set agent.batch_size=16 --set "
      "train.eval_episodes=1 --set train.final_eval_episodes=1 --threads 1 --quiet --set "
      "env.interpreter=/usr/bin/python3";
};

TEST_F(PythonEnvironment, SacLearnsItAsOurs) {
  const std::string set =
      " --steps 10_000 --set agent.sac.pi.hidden=[64,64] --set agent.sac.q.hidden=[64,64] --set agent.batch_size=128 "
      "--set train.eval_every=10_000 --set train.eval_episodes=1 --set train.final_eval_episodes=10 --threads 1 "
      "--quiet "
      "--out ";
  ASSERT_EQ(run("train pendulum_sac" + set + "ours").status, 0) << errors();
  ASSERT_EQ(run("train pendulum_sac --set env.name=python:pendulum:Pendulum" + python_ + set + "theirs").status, 0)
      << errors();
  const auto final_return = [&](const char* of) {
    const Outcome o = run(std::string("evaluate ") + of + " --episodes 200 --json");
    const std::size_t at = o.out.find("\"return\":");
    return at == o.out.npos ? -1e9 : std::stod(o.out.substr(at + 9));
  };
  EXPECT_GT(final_return("ours"), -200);
  EXPECT_NEAR(final_return("theirs"), final_return("ours"), 30);
}

TEST_F(PythonEnvironment, ResumesToTheSameBits) {
  const std::string train =
      "train sac python:pendulum:Pendulum --set learning_starts=50 --set train.num_envs=2" + small_;
  ASSERT_EQ(run(train + " --steps 700 --out whole").status, 0) << errors();
  ASSERT_EQ(run(train + " --steps 330 --out parts").status, 0) << errors();  // in the middle of episodes
  ASSERT_EQ(run("train --resume parts --steps 700 --quiet").status, 0) << errors();
  EXPECT_EQ(run("evaluate whole --episodes 2").out, run("evaluate parts --episodes 2").out);
  EXPECT_EQ(read_state_hash(here_ / "whole/policy.h5", kPolicyKind),
            read_state_hash(here_ / "parts/policy.h5", kPolicyKind));
}

TEST_F(PythonEnvironment, ALostWorkerEndsTheRunWithACheckpoint) {
  const pid_t training = start(
      "train sac python:pendulum:Pendulum --steps 1e7 --set learning_starts=100 --set train.eval_every=1e7 --set "
      "train.num_envs=2 --out r" +
      small_);
  ASSERT_TRUE(wait_until([&] { return workers(training).size() >= 2 && exists(here_ / "r/eval.csv"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  kill(workers(training).front(), SIGKILL);
  EXPECT_EQ(wait_for(training), 1);
  EXPECT_THAT(errors(), HasSubstr("was ended by signal 9 (Killed)"));
  EXPECT_TRUE(exists(here_ / "r/checkpoint.h5"));
  EXPECT_EQ(run("dataset check r").status, 0) << errors();
}

TEST_F(PythonEnvironment, HasGoalsDiscreteActionsAndLimits) {
  const Outcome o = run("rollout python:pendulum:Reach --random --episodes 30 --record e.h5" + python_);
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(run("dataset info e.h5").out, HasSubstr("goal 2, action one of 4, time limit 20 steps"));
  EXPECT_EQ(run("train dqn python:pendulum:Reach --her --steps 300 --out d --quiet --set train.final_eval_episodes=5 "
                "--threads 1" +
                python_)
                .status,
            0)
      << errors();
  // A time limit of its own.
  ASSERT_EQ(
      run("rollout python:pendulum:Pendulum --random --episodes 3 --set 'env.arguments={\\\"own_limit\\\": 7}' --out "
          "s.csv" +
          python_)
          .status,
      0)
      << errors();
  const std::string rows = content(here_ / "s.csv");
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 1 + 3 * 8);
}

TEST_F(PythonEnvironment, SaysWhatIsWrong) {
  const std::string rollout = "rollout --random --episodes 1" + python_ + " ";
  expect_refusal(rollout + "python:pendulam:Pendulum",
                 "python:pendulam:Pendulum: No module named 'pendulam' (Python 3");
  expect_refusal(rollout + "python:pendulum:Pendulam", "has no attribute 'Pendulam'");
  expect_refusal(rollout + "python:pendulum", "expected python:module:Class");
  expect_refusal(rollout + "python:pendulum:Pendulum --set env.interpreter=python4",
                 "python4 cannot be run: No such file or directory (env.interpreter)");
  expect_refusal(rollout + "python:pendulum:Pendulum --set env.arguments=x", "expected a JSON object");
  expect_refusal(rollout + "'python:pendulum:Pendulum' --set 'env.arguments={\\\"mass\\\": 2}'", "mass");
  expect_refusal(rollout + "python:pendulum:Empty", "its actions lie in [1.0] to [-1.0]; expected finite ranges");
  EXPECT_THAT(run(rollout + "python:pendulum:Short").err,
              HasSubstr("the observation has 1 numbers; expected 3, as its space says"));
  const Outcome o = run(rollout + "python:pendulum:Pendulum --set 'env.arguments={\\\"fail_after\\\": 5}'");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, HasSubstr("ValueError: the rod broke"));
}

TEST(Pickle, ReadsWhatPythonWrites) {
  // pickletools.optimize(pickle.dumps({"a": [1, -2, 3.5, True, None], "b": (b"xy", "z")}, 0)) and protocol 4
  const std::string old =
      "(dp0\nVa\np1\n(lp2\nI1\naI-2\naF3.5\naI01\naNasVb\np3\n(c_codecs\nencode\np4\n("
      "Vxy\np5\nVlatin1\np6\ntp7\nRp8\nVz\np9\ntp10\ns.";
  const PickleDocument document(old + "rest", "old");
  EXPECT_EQ(document.size(), old.size());
  const Pickle* a = document.root().find("a");
  ASSERT_NE(a, nullptr);
  ASSERT_EQ(a->items.size(), 5u);
  EXPECT_EQ(a->items[1]->integer, -2);
  EXPECT_EQ(a->items[2]->real, 3.5);
  EXPECT_EQ(a->items[3]->kind, Pickle::Kind::boolean);
  EXPECT_EQ(a->items[4]->kind, Pickle::Kind::none);
  EXPECT_TRUE(document.root().find("b")->items[0]->is_object_of("_codecs.encode"));
  for (const char* wrong : {"", ".", "I1\n", "t.", "h\x01.", "R.", "(I1\nu.", "\x80\x06.", "X\xff\xff\xff\xff."})
    EXPECT_THROW(PickleDocument(wrong, "wrong"), std::runtime_error) << wrong;
}

}  // namespace
}  // namespace goalpost
