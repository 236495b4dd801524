#include "storage/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "storage/dataset_d4rl.h"
#include "storage/dataset_edit.h"
#include "storage/dataset_minari.h"
#include "storage/dataset_summary.h"
#include "storage/dataset_task.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "storage/episode_recorder.h"
#include "storage/episode_writer.h"
#include "storage/hdf5_file.h"
#include "support/script.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using test::Script;
using testing::HasSubstr;
namespace fs = std::filesystem;

EnvSpec discrete_spec() {
  EnvSpec spec = test::script_spec(6);
  spec.name = "Script-v0";
  return spec;
}

// Two numbers as actions, in [-2, 2] and [-1, 1].
EnvSpec continuous_spec() {
  EnvSpec spec = discrete_spec();
  spec.action = {.kind = ActionSpace::Kind::continuous, .dim = 2, .choices = 0, .low = Vector(2), .high = Vector(2)};
  spec.action.low << -2, -1;
  spec.action.high << 2, 1;
  return spec;
}

EpisodeBlock scripted(const EnvSpec& spec, int steps) {
  Script script(spec, 2);
  EpisodeStage stage(spec, 2, EpisodePurpose::training);
  EpisodeBlock block;
  for (int t = 0; t < steps; ++t) {
    StepBatch step = script.next();
    if (spec.action.dim == 2) step.action = Matrix::Constant(2, 2, Scalar(0.25) * Scalar(t % 9 - 4));
    for (std::size_t lane = 0; lane < 2; ++lane) {
      stage.add(step, lane);
      if (step.ended(lane)) stage.move_episode(lane, static_cast<std::uint64_t>(2 * t), block);
    }
  }
  return block;
}

void write(const fs::path& path, const EnvSpec& spec, const EpisodeBlock& block) {
  EpisodeFileWriter writer(path, EpisodeHeader::of(spec, 3, "name = \"test\"\n"), false);
  writer.append(block);
  writer.close();
}

EpisodeBlock read(const fs::path& path) {
  const EpisodeReader reader(path);
  EpisodeBlock block;
  for (std::uint64_t e = 0; e < reader.episodes(); ++e) reader.read(e, block);
  return block;
}

void expect_equal(const EpisodeBlock& a, const EpisodeBlock& b) {
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.observation, b.observation);
  EXPECT_EQ(a.achieved, b.achieved);
  EXPECT_EQ(a.desired, b.desired);
  EXPECT_EQ(a.action, b.action);
  EXPECT_EQ(a.reward, b.reward);
  EXPECT_EQ(a.terminated, b.terminated);
  EXPECT_EQ(a.truncated, b.truncated);
  EXPECT_EQ(a.success, b.success);
}

class Exchange : public testing::TestWithParam<bool> {
 protected:
  TemporaryDirectory dir_;
  EnvSpec spec_ = GetParam() ? continuous_spec() : discrete_spec();
  EpisodeBlock block_ = scripted(spec_, 60);
};

TEST_P(Exchange, MinariAndBack) {
  write(dir_ / "e.h5", spec_, block_);
  export_minari(dir_ / "e.h5", dir_ / "script-v0", true);
  const nlohmann::json j = nlohmann::json::parse(content(dir_ / "script-v0/data/metadata.json"));
  EXPECT_EQ(j.at("dataset_id"), "script-v0");
  EXPECT_EQ(j.at("minari_version"), "0.5.3");
  EXPECT_EQ(j.at("total_episodes"), block_.episodes());
  EXPECT_EQ(j.at("total_steps"), block_.steps());
  EXPECT_THAT(j.at("observation_space").get<std::string>(),
              HasSubstr(R"("desired_goal":{"type":"Box","dtype":"float32","shape":[3],"low":[-Infinity,)"));
  EXPECT_EQ(j.at("action_space"),
            GetParam() ? R"({"type":"Box","dtype":"float32","shape":[2],"low":[-2.0,-1.0],"high":[2.0,1.0]})"
                       : R"({"type":"Discrete","dtype":"int64","start":0,"n":1000})");
  EXPECT_EQ(nlohmann::json::parse(j.at("env_spec").get<std::string>()).at("id"), "goalpost/Script-v0");

  const Hdf5File file = Hdf5File::open(dir_ / "script-v0/data/main_data.hdf5");
  const std::uint64_t steps = block_.end[0];
  EXPECT_EQ(file.shape("episode_0/observations/observation"), (Hdf5Shape{steps + 1, 3}));
  EXPECT_EQ(file.shape("episode_0/rewards"), (Hdf5Shape{steps}));
  EXPECT_EQ(file.read_number("episode_0", "total_steps"), steps);
  if (GetParam()) {
    std::vector<double> action(2);
    file.read_rows("episode_0/actions", 0, 1, std::span(action));
    EXPECT_EQ(action[0], 2 * static_cast<double>(block_.action[0]));  // in the environment's unit
    EXPECT_EQ(action[1], static_cast<double>(block_.action[1]));
  }

  import_dataset(dir_ / "script-v0", spec_, dir_ / "back.h5", false);
  expect_equal(read(dir_ / "back.h5"), block_);
}

TEST_P(Exchange, D4rlAndBack) {
  write(dir_ / "e.h5", spec_, block_);
  export_d4rl(dir_ / "e.h5", dir_ / "d.hdf5", true);
  EXPECT_EQ(Hdf5File::open(dir_ / "d.hdf5").shape("observations"), (Hdf5Shape{block_.steps(), 3}));
  import_dataset(dir_ / "d.hdf5", spec_, dir_ / "back.h5", false);
  expect_equal(read(dir_ / "back.h5"), block_);
}

TEST_P(Exchange, FillsAMemoryFromAnyFormat) {
  write(dir_ / "e.h5", spec_, block_);
  export_minari(dir_ / "e.h5", dir_ / "m-v1", false);
  for (const char* name : {"e.h5", "m-v1"}) {
    std::uint64_t k = 0, ends = 0;
    replay_dataset(dir_ / name, spec_, [&](const StepBatch& step) {
      EXPECT_EQ(step.reward(0, 0), block_.reward[k]);
      EXPECT_EQ(step.action(0, 0), block_.action[k * static_cast<std::uint64_t>(spec_.action.dim)]);
      EXPECT_EQ(step.before.obs(2, 0) + 1, step.after.obs(2, 0));
      ends += step.ended(0);
      ++k;
    });
    EXPECT_EQ(k, block_.steps());
    EXPECT_EQ(ends, block_.episodes());
  }
}
INSTANTIATE_TEST_SUITE_P(Datasets, Exchange, testing::Bool(),
                         [](const auto& i) { return i.param ? "Continuous" : "Discrete"; });

TEST(Dataset, IsReplayedUntilItIsStopped) {
  const TemporaryDirectory dir;
  const EnvSpec spec = discrete_spec();
  write(dir / "e.h5", spec, scripted(spec, 60));
  int steps = 0, all = 0;
  EXPECT_FALSE(replay_dataset(
      dir / "e.h5", spec, [&](const StepBatch&) { ++steps; }, [&] { return steps > 0; }));
  EXPECT_TRUE(replay_dataset(dir / "e.h5", spec, [&](const StepBatch&) { ++all; }));
  EXPECT_GT(steps, 0);
  EXPECT_LT(steps, all);
}

TEST(Dataset, HasADigestOfWhatItHolds) {
  const TemporaryDirectory dir;
  const EnvSpec spec = discrete_spec();
  write(dir / "e.h5", spec, scripted(spec, 60));
  write(dir / "same.h5", spec, scripted(spec, 60));
  write(dir / "other.h5", spec, scripted(spec, 90));  // more episodes
  EXPECT_EQ(dataset_digest(dir / "e.h5").size(), 16u);
  EXPECT_EQ(dataset_digest(dir / "e.h5"), dataset_digest(dir / "same.h5"));
  EXPECT_NE(dataset_digest(dir / "e.h5"), dataset_digest(dir / "other.h5"));
  export_minari(dir / "e.h5", dir / "script-v0", false);
  EXPECT_NE(dataset_digest(dir / "script-v0"), dataset_digest(dir / "e.h5"));
}

TEST(Dataset, IsRefusedForAnEnvironmentWithOtherSpaces) {
  const TemporaryDirectory dir;
  write(dir / "e.h5", discrete_spec(), scripted(discrete_spec(), 30));
  const auto refusal = [&](const EnvSpec& spec) {
    return message_of<std::runtime_error>([&] { replay_dataset(dir / "e.h5", spec, [](const StepBatch&) {}); });
  };
  EnvSpec other = discrete_spec();
  other.obs_dim = 4;
  EXPECT_THAT(refusal(other), HasSubstr("the observation's dimension = 3; expected 4, as Script-v0 has"));
  EXPECT_THAT(refusal(continuous_spec()), HasSubstr("the action's dimension = 1; expected 2"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { export_minari(dir / "e.h5", dir / "name", false); }),
              HasSubstr("this is no name of a Minari dataset"));
}

TEST(Dataset, IsRepairedToItsLongestValidPrefix) {
  const TemporaryDirectory dir;
  const EpisodeBlock good = scripted(discrete_spec(), 60);
  EpisodeBlock bad = good;
  bad.reward[good.end[9]] = std::nanf("");  // the first step of episode 10
  write(dir / "e.h5", discrete_spec(), bad);
  EXPECT_THAT(message_of<std::runtime_error>([&] { check_dataset(dir / "e.h5"); }),
              HasSubstr("reward: row 0 of episode 10 holds nan; expected finite numbers"));
  const std::string told = repair_dataset(dir / "e.h5", dir / "r.h5", false);
  EXPECT_THAT(told, testing::AllOf(HasSubstr("10 episodes are in"), HasSubstr("left out: episodes 10 to ")));
  EXPECT_EQ(check_dataset(dir / "r.h5").episodes, 10u);
  EXPECT_EQ(repair_dataset(dir / "r.h5", dir / "r2.h5", false), "");

  // Parts of a run of which one is torn.
  fs::create_directories(dir / "run/episodes");
  for (const char* part : {"000000.h5", "000001.h5", "000002.h5"})
    write(dir / "run/episodes" / part, discrete_spec(), good);
  fs::resize_file(dir / "run/episodes/000001.h5", 3000);
  EXPECT_THAT(
      repair_dataset(dir / "run", dir / "run.h5", false),
      testing::AllOf(HasSubstr("000001.h5 is not a complete HDF5 file"), HasSubstr("and the 1 parts after it")));
  expect_equal(read(dir / "run.h5"), good);

  // Parts that do not belong together.
  fs::remove(dir / "run/episodes/000001.h5");
  write(dir / "run/episodes/000001.h5", continuous_spec(), scripted(continuous_spec(), 60));
  EXPECT_THAT(repair_dataset(dir / "run", dir / "mixed.h5", false), HasSubstr("is of Script-v0 with other spaces"));
  expect_equal(read(dir / "mixed.h5"), good);
  EXPECT_THAT(message_of<std::runtime_error>([&] { check_dataset(dir / "run"); }), HasSubstr("with other spaces"));
}

// Episodes of which some fail, and others end without success and do not fail.
EnvSpec failing_spec() {
  EnvSpec spec = discrete_spec();
  spec.can_fail = true;
  return spec;
}
EpisodeBlock with_failures(const EnvSpec& spec) {
  EpisodeBlock block = scripted(spec, 60);
  bool fails = false;
  for (const std::uint64_t end : block.end)
    if (block.terminated[end - 1]) block.failed[end - 1] = std::exchange(fails, !fails);
  return block;
}
std::vector<std::uint8_t> replayed_failures(const fs::path& path, const EnvSpec& spec) {
  std::vector<std::uint8_t> failed;
  replay_dataset(path, spec, [&](const StepBatch& step) { failed.push_back(step.failed[0]); });
  return failed;
}

TEST(Failures, GoThroughEveryFormat) {
  const TemporaryDirectory dir;
  const EnvSpec spec = failing_spec();
  const EpisodeBlock block = with_failures(spec);
  write(dir / "e.h5", spec, block);
  export_minari(dir / "e.h5", dir / "m-v0", false);
  export_d4rl(dir / "e.h5", dir / "d.hdf5", false);
  EXPECT_EQ(repair_dataset(dir / "e.h5", dir / "r.h5", false), "");
  import_dataset(dir / "m-v0", spec, dir / "i.h5", false);
  for (const char* name : {"e.h5", "m-v0", "d.hdf5", "r.h5", "i.h5"}) {
    EXPECT_EQ(replayed_failures(dir / name, spec), block.failed) << name;
    EXPECT_FALSE(dataset_identity(dir / name).guesses_failures) << name;
  }
}

TEST(Failures, AreGuessedOnlyForFilesThatDoNotSayThem) {
  const TemporaryDirectory dir;
  const EnvSpec spec = failing_spec();
  const EpisodeBlock block = with_failures(spec);
  EpisodeHeader old = EpisodeHeader::of(spec, 3, "");
  old.has_failed = false;  // writes version 1
  {
    EpisodeFileWriter writer(dir / "old.h5", old, false);
    writer.append(block);
    writer.close();
  }
  std::vector<std::uint8_t> guess(block.steps());
  for (std::size_t t = 0; t < guess.size(); ++t) guess[t] = block.terminated[t] && !block.success[t];
  EXPECT_NE(guess, block.failed);
  EXPECT_EQ(replayed_failures(dir / "old.h5", spec), guess);
  EXPECT_EQ(replayed_failures(dir / "old.h5", discrete_spec()), std::vector<std::uint8_t>(block.steps()));
  EXPECT_EQ(Hdf5File::open(dir / "old.h5").read_number("", "schema"), 1u);
  EXPECT_TRUE(dataset_identity(dir / "old.h5").guesses_failures);
  EXPECT_THAT(check_files(dir / "old.h5", {}), testing::Contains(HasSubstr("does not say which episodes failed")));
  // What is made of it still does not say.
  EXPECT_EQ(repair_dataset(dir / "old.h5", dir / "copy.h5", false), "");
  EXPECT_TRUE(dataset_identity(dir / "copy.h5").guesses_failures);
}

TEST(Identity, OfAnotherTaskIsToldInBothValues) {
  const TemporaryDirectory dir;
  const EnvSpec spec = discrete_spec();
  const auto write_as = [&](const char* name, const EnvSpec& s, const std::string& config) {
    EpisodeFileWriter writer(dir / name, EpisodeHeader::of(s, 3, config), false);
    writer.append(scripted(s, 60));
    writer.close();
  };
  const auto refusal = [&](const char* name, const std::string& config) {
    return message_of<DatasetMismatch>([&] { expect_same_task(dir / name, spec, config); });
  };
  const std::string config = "[env]\nname = \"Script-v0\"\nreward = \"own\"\nbits = 4\n";
  write_as("same.h5", spec, config + "[train]\nnum_envs = 3\n");
  EXPECT_EQ(refusal("same.h5", config), "");
  EXPECT_EQ(refusal("same.h5", ""), "");
  EXPECT_THAT(
      refusal("same.h5", "[env]\nreward = \"arrival\"\nbits = 4\n"),
      HasSubstr("same.h5: the episodes are of another task: env.reward is \"own\" there, but \"arrival\" here"));
  EXPECT_THAT(refusal("same.h5", config + "goal_x = 0.5\n"), HasSubstr("env.goal_x is left out there, but 0.5 here"));
  EnvSpec other = spec;
  other.name = "Other-v0";
  write_as("other.h5", other, config);
  EXPECT_THAT(refusal("other.h5", config), HasSubstr("the environment is Other-v0 there, but Script-v0 here"));
  other = spec;
  other.goal.radius = Scalar(0.25);
  write_as("radius.h5", other, config);
  EXPECT_THAT(refusal("radius.h5", config), HasSubstr("the goal's radius is 0.25 there, but 0.5 here"));
  // Exports of ours say the same.
  export_minari(dir / "other.h5", dir / "m-v0", false);
  export_d4rl(dir / "radius.h5", dir / "d.hdf5", false);
  EXPECT_THAT(refusal("m-v0", config), HasSubstr("the environment is Other-v0 there"));
  EXPECT_THAT(refusal("d.hdf5", config), HasSubstr("the goal's radius is 0.25 there"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { check_files(dir / "other.h5", spec); }),
              HasSubstr("Other-v0 there"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { import_dataset(dir / "m-v0", spec, dir / "i.h5", false); }),
              HasSubstr("Other-v0 there"));
}

TEST(Identity, TakesFormerNamesOfSettingsForThePresentOnes) {
  const auto differences = [](const std::string& there, const std::string& here) {
    return setting_differences("e.h5", "PointReach-v0", "[env.task]\nreward = \"" + there + "\"\n",
                               "[env.task]\nreward = \"" + here + "\"\n");
  };
  EXPECT_THAT(differences("arrival", "reach_bonus"), testing::IsEmpty());
  EXPECT_THAT(differences("own", "environment"), testing::IsEmpty());
  EXPECT_THAT(differences("own", "reach_bonus"),
              testing::ElementsAre("env.task.reward is \"environment\" there, but \"reach_bonus\" here"));
}

TEST(Minari, HasARowOfInformationForEveryObservationAndNoSeeds) {
  const TemporaryDirectory dir;
  const EpisodeBlock block = scripted(discrete_spec(), 60);
  write(dir / "e.h5", discrete_spec(), block);
  export_minari(dir / "e.h5", dir / "m-v0", false);
  const Hdf5File file = Hdf5File::open(dir / "m-v0/data/main_data.hdf5");
  for (std::uint64_t e = 0; e < block.episodes(); ++e) {
    const std::string group = "episode_" + std::to_string(e);
    const std::uint64_t steps = block.end[e] - block.begin_of(e);
    for (const char* name : {"/infos/success", "/infos/failed"}) {
      ASSERT_EQ(file.shape(group + name), (Hdf5Shape{steps + 1})) << group << name;
      std::vector<std::uint8_t> flags(steps + 1);
      file.read_rows(group + name, 0, steps + 1, std::span(flags));
      EXPECT_EQ(flags[0], 0);
    }
    EXPECT_FALSE(file.has_attribute(group, "seed")) << "no number of ours repeats a reset";
  }
}

TEST(Minari, NamesNamespacesAsItsListingNeedsThem) {
  const TemporaryDirectory dir;
  write(dir / "e.h5", discrete_spec(), scripted(discrete_spec(), 30));
  const fs::path root = dir / "root";
  ASSERT_EQ(::setenv("MINARI_DATASETS_PATH", root.c_str(), 1), 0);
  for (const char* name : {"a b/m-v0", "a/b c/m-v0", "é/m-v0", "a/m v0", "a.b/m-v0"})
    EXPECT_THAT(message_of<std::runtime_error>([&] { export_minari(dir / "e.h5", root / name, false); }),
                HasSubstr("expected letters, digits, _ and -"))
        << name;
  EXPECT_FALSE(fs::exists(root));
  export_minari(dir / "e.h5", root / "goalpost/fetch/m-v0", false);
  ::unsetenv("MINARI_DATASETS_PATH");
  const nlohmann::json j = nlohmann::json::parse(content(root / "goalpost/fetch/m-v0/data/metadata.json"));
  EXPECT_EQ(j.at("dataset_id"), "goalpost/fetch/m-v0");
  for (const char* directory : {"goalpost", "goalpost/fetch"})
    EXPECT_EQ(content(root / directory / "namespace_metadata.json"), "{}\n");
  EXPECT_FALSE(fs::exists(root / "namespace_metadata.json"));
}

TEST(Minari, NamesTheEnvironmentOfGymnasiumThatIsTheSameTask) {
  const TemporaryDirectory dir;
  int count = 0;
  const auto spec_of = [&](const std::string& name, const std::string& settings) {
    EnvSpec spec = discrete_spec();
    spec.name = name;
    const fs::path file = dir / ("e" + std::to_string(++count) + ".h5"), out = dir / ("m-v" + std::to_string(count));
    EpisodeFileWriter writer(file, EpisodeHeader::of(spec, 3, "[env]\nname = \"" + name + "\"\n" + settings), false);
    writer.append(scripted(spec, 30));
    writer.close();
    export_minari(file, out, false);
    return nlohmann::json::parse(
        nlohmann::json::parse(content(out / "data/metadata.json")).at("env_spec").get<std::string>());
  };
  const nlohmann::json reach = spec_of("FetchReachDense-v4", "");
  EXPECT_EQ(reach.at("id"), "FetchReachDense-v4");
  EXPECT_EQ(reach.at("entry_point"), "gymnasium_robotics.envs.fetch.reach:MujocoFetchReachEnv");
  EXPECT_EQ(reach.at("kwargs").at("reward_type"), "dense");
  EXPECT_EQ(reach.at("max_episode_steps"), 6);
  EXPECT_EQ(spec_of("FetchPush-v4", "").at("kwargs").at("reward_type"), "sparse");
  EXPECT_EQ(spec_of("AntMaze_UMaze-v5", "").at("id"), "AntMaze_UMaze-v5");
  // Another task of the same name, an integrator of ours, and what only goalpost has.
  EXPECT_EQ(spec_of("FetchReach-v4", "goal_x = 1.3\n").at("id"), "goalpost/FetchReach-v4");
  EXPECT_EQ(spec_of("AntMaze_UMazeEuler-v5", "").at("id"), "goalpost/AntMaze_UMazeEuler-v5");
  EXPECT_EQ(spec_of("BitFlip-v0", "").at("id"), "goalpost/BitFlip-v0");
}

TEST(Filter, KeepsTheEpisodesThatPass) {
  const TemporaryDirectory dir;
  const EnvSpec spec = failing_spec();
  EpisodeBlock block = with_failures(spec);
  for (std::uint64_t e = 0; e < block.episodes(); ++e) {
    block.success[block.end[e] - 1] = e % 3 == 0;
    block.purpose[e] = static_cast<std::uint8_t>(e % 2);
    block.run_step[e] = 10 * e;
  }
  write(dir / "e.h5", spec, block);
  int count = 0;
  const auto kept = [&](const EpisodeFilter& filter) {
    const fs::path out = dir / ("f" + std::to_string(++count) + ".h5");
    filter_dataset(dir / "e.h5", filter, out, false);
    return read(out);
  };
  const auto all = [](const std::vector<std::uint64_t>& v, auto f) { return std::all_of(v.begin(), v.end(), f); };
  EpisodeBlock b = kept({.success = true});
  EXPECT_EQ(b.episodes(), (block.episodes() + 2) / 3);
  for (const std::uint64_t end : b.end) EXPECT_EQ(b.success[end - 1], 1);
  b = kept({.failed = true});
  for (const std::uint64_t end : b.end) EXPECT_EQ(b.failed[end - 1], 1);
  b = kept({.purpose = EpisodePurpose::evaluation});
  EXPECT_EQ(b.episodes(), block.episodes() / 2);
  b = kept({.steps = std::pair{std::uint64_t(20), std::uint64_t(50)}});
  EXPECT_EQ(b.run_step, (std::vector<std::uint64_t>{20, 30, 40, 50}));
  b = kept({.success = true, .first = 2});
  EXPECT_EQ(b.run_step, (std::vector<std::uint64_t>{0, 30}));
  b = kept({.min_return = -3, .max_return = -2});
  EXPECT_GT(b.episodes(), 0u);
  EXPECT_TRUE(all(b.end, [&, last = std::uint64_t(0)](std::uint64_t end) mutable {
    const std::uint64_t steps = end - std::exchange(last, end);
    return steps == 2 || steps == 3;  // a reward of -1 a step
  }));
  EXPECT_THAT(
      message_of<std::runtime_error>([&] { filter_dataset(dir / "e.h5", {.min_return = 1}, dir / "n.h5", false); }),
      HasSubstr("none of " + std::to_string(block.episodes()) + " episodes is left"));
  EXPECT_FALSE(fs::exists(dir / "n.h5") || fs::exists(dir / "n.h5.tmp"));
}

TEST(Merge, PutsEpisodesOfOneTaskBehindEachOther) {
  const TemporaryDirectory dir;
  const EnvSpec spec = discrete_spec();
  const EpisodeBlock block = scripted(spec, 60);
  const auto write_as = [&](const char* name, const EnvSpec& s, const std::string& config, bool has_failed = true) {
    EpisodeHeader header = EpisodeHeader::of(s, 3, config);
    header.has_failed = has_failed;
    EpisodeFileWriter writer(dir / name, header, false);
    writer.append(scripted(s, 60));
    writer.close();
  };
  write_as("a.h5", spec, "[env]\nbits = 4\n");
  write_as("b.h5", spec, "seed = 7\n[env]\nbits = 4\n");
  merge_datasets({dir / "a.h5", dir / "b.h5"}, dir / "ab.h5", false);
  const EpisodeBlock both = read(dir / "ab.h5");
  EXPECT_EQ(both.episodes(), 2 * block.episodes());
  EXPECT_TRUE(std::equal(block.reward.begin(), block.reward.end(), both.reward.begin()));
  EXPECT_TRUE(std::equal(block.action.begin(), block.action.end(),
                         both.action.begin() + static_cast<std::ptrdiff_t>(block.action.size())));

  const auto refusal = [&](const char* other) {
    return message_of<std::runtime_error>([&] { merge_datasets({dir / "a.h5", dir / other}, dir / "n.h5", false); });
  };
  write_as("c.h5", spec, "[env]\nbits = 5\n");
  EXPECT_THAT(refusal("c.h5"), HasSubstr("env.bits is 5 there, but 4 here"));
  EnvSpec other = spec;
  other.name = "Other-v0";
  write_as("d.h5", other, "");
  EXPECT_THAT(refusal("d.h5"), HasSubstr("the episodes are of Other-v0"));
  other = spec;
  other.goal.radius = Scalar(0.25);
  write_as("e.h5", other, "");
  EXPECT_THAT(refusal("e.h5"), HasSubstr("with the goal radius 0.25"));
  EXPECT_FALSE(fs::exists(dir / "n.h5"));
  // A file that does not say what failed takes this from the others, if there is nothing to say.
  write_as("old.h5", spec, "[env]\nbits = 4\n", false);
  EXPECT_EQ(refusal("old.h5"), "");
  EXPECT_TRUE(dataset_identity(dir / "n.h5").guesses_failures);
}

// ------------------------------------------------------------------------------------------------------ hostile files

// A file of these columns, whether they go together or not.
void write_raw(const fs::path& path, const EpisodeHeader& h, const EpisodeBlock& b) {
  Hdf5File file = Hdf5File::create(path);
  file.write_attribute("", "schema", std::uint64_t(1));
  file.write_attribute("", "kind", "goalpost episodes");
  file.write_attribute("", "environment", h.environment);
  file.write_attribute("", "config", h.config);
  file.write_attribute("", "seed", h.seed);
  for (const auto& [name, n] :
       {std::pair{"obs_dim", h.obs_dim}, std::pair{"goal_dim", h.goal_dim}, std::pair{"action_dim", h.action_dim},
        std::pair{"choices", h.choices}, std::pair{"max_steps", h.max_steps}})
    file.write_attribute("", name, static_cast<std::uint64_t>(n));
  file.write_attribute("", "goal_radius", h.goal_radius);
  file.write_attribute("", "dt", h.dt);
  const auto write = [&]<class T>(const char* name, const std::vector<T>& values, Hdf5Shape row) {
    file.create_rows<T>(name, row, 16, false);
    file.append(name, std::span<const T>(values));
  };
  write("observation", b.observation, {3});
  write("achieved_goal", b.achieved, {3});
  write("desired_goal", b.desired, {3});
  write("action", b.action, {1});
  write("reward", b.reward, {});
  write("terminated", b.terminated, {});
  write("truncated", b.truncated, {});
  write("success", b.success, {});
  write("episode/end", b.end, {});
  write("episode/lane", b.lane, {});
  write("episode/run_step", b.run_step, {});
  write("episode/purpose", b.purpose, {});
  file.close();
}

// A file of this name made of the good one's columns, but for what a case changes.
class Crafted : public testing::Test {
 protected:
  std::string refusal() {
    return message_of<std::runtime_error>([&] { check_dataset(dir_ / "c.h5"); });
  }
  template <class Change>
  std::string with(Change change) {
    EpisodeBlock block = good_;
    EpisodeHeader header = EpisodeHeader::of(spec_, 3, "");
    change(block, header);
    write_raw(dir_ / "c.h5", header, block);
    return refusal();
  }
  TemporaryDirectory dir_;
  EnvSpec spec_ = discrete_spec();
  EpisodeBlock good_ = scripted(spec_, 60);
};

TEST_F(Crafted, IndexOutsideTheData) {
  EXPECT_EQ(with([](EpisodeBlock&, EpisodeHeader&) {}), "");
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.end.back() += 100; }), HasSubstr("within"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.end[2] = ~std::uint64_t(0); }), HasSubstr("episode/end[2]"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.end[2] = b.end[1]; }), HasSubstr("episode/end[2]"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.end[2] = 0; }), HasSubstr("episode/end[2]"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.lane.pop_back(); }), HasSubstr("episode/lane"));
}

TEST_F(Crafted, NumbersThatCannotBe) {
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.observation[7] = INFINITY; }), HasSubstr("inf"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.action[0] = 1000; }), HasSubstr("an index below 1000"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.terminated[0] = 7; }), HasSubstr("terminated = 7"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.purpose[0] = 9; }), HasSubstr("episode/purpose[0] = 9"));
  EXPECT_THAT(with([](EpisodeBlock& b, EpisodeHeader&) { b.success.pop_back(); }),
              HasSubstr("success: there are 116 rows; expected 117"));
  EXPECT_THAT(with([](EpisodeBlock&, EpisodeHeader& h) { h.max_steps = 1; }), HasSubstr("an episode of 1 to 1 steps"));
}

TEST_F(Crafted, AnotherKindOfFile) {
  set_content(dir_ / "c.h5", "");
  EXPECT_THAT(refusal(), HasSubstr("c.h5 is not a complete HDF5 file"));
  {
    Hdf5File file = Hdf5File::create(dir_ / "c.h5");
    file.write_attribute("", "schema", std::uint64_t(99));
    file.close();
  }
  EXPECT_THAT(refusal(), HasSubstr("schema = 99; expected 1"));
  {
    Hdf5File file = Hdf5File::create(dir_ / "c.h5");
    file.write_attribute("", "schema", 1.5);
    file.close();
  }
  EXPECT_THAT(refusal(), HasSubstr("attribute schema is float64; expected a whole number"));
}

}  // namespace
}  // namespace goalpost
