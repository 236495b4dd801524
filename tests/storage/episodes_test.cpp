#include "storage/episode_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/checkpoint.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "storage/episode_writer.h"
#include "support/script.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using test::Script;
using test::script_spec;
using testing::HasSubstr;

const EnvSpec kSpec = script_spec(6);

// Records scripted transitions of three lanes.
struct Recording {
  Script script{kSpec, 3};
  EpisodeStage stage{kSpec, 3, EpisodePurpose::training};
  std::vector<std::string> failures;
  EpisodeRecorder recorder;
  std::uint64_t step = 0;

  Recording(const std::filesystem::path& directory, bool compressed = false, std::size_t block_bytes = 4096)
      : recorder(directory, kSpec, EpisodeHeader::of(kSpec, 5, "seed = 5\n"),
                 {.compressed = compressed, .block_bytes = block_bytes, .on_failure = [this](const std::string& s) {
                    failures.push_back(s);
                  }}) {}
  void run(int steps) {
    for (int t = 0; t < steps; ++t) {
      const StepBatch& batch = script.next();
      step += 3;
      for (std::size_t lane = 0; lane < 3; ++lane) recorder.append(stage, batch, lane, step);
    }
  }
  void visit_state(StateVisitor& v) {
    visit_part(v, "stage", stage);
    visit_part(v, "recorder", recorder);
  }
};

EpisodeBlock read_all(const std::filesystem::path& path) {
  const EpisodeReader reader(path);
  EpisodeBlock block;
  for (std::uint64_t e = 0; e < reader.episodes(); ++e) reader.read(e, block);
  EXPECT_EQ(block.steps(), reader.steps());
  return block;
}

class Compression : public testing::TestWithParam<bool> {};

TEST_P(Compression, KeepsEveryStepOfEveryEpisode) {
  const TemporaryDirectory dir;
  Recording r(dir.path(), GetParam());
  r.run(500);
  r.recorder.finish();
  EXPECT_FALSE(std::filesystem::exists(episode_parts(dir.path())));
  const EpisodeReader reader(dir.path());
  EXPECT_EQ(reader.header().environment, "Script");
  EXPECT_EQ(reader.header().config, "seed = 5\n");
  EXPECT_EQ(reader.header().seed, 5u);
  EXPECT_EQ(reader.header().choices, 1000);
  const EpisodeBlock block = read_all(dir.path());
  ASSERT_EQ(block.episodes(), r.recorder.episodes());
  ASSERT_GT(block.episodes(), 300u);
  std::vector<int> next(3);
  for (std::uint64_t e = 0; e < block.episodes(); ++e) {
    const std::uint64_t lane = block.lane[e], begin = block.begin_of(e), steps = block.end[e] - begin;
    const int episode = next[lane]++;
    ASSERT_EQ(static_cast<int>(steps), Script::length(static_cast<int>(lane), episode, 6));
    for (std::uint64_t t = 0; t <= steps; ++t) {
      const float* s = &block.observation[3 * (begin + e + t)];
      EXPECT_EQ(s[0], static_cast<float>(lane));
      EXPECT_EQ(s[1], static_cast<float>(episode));
      EXPECT_EQ(s[2], static_cast<float>(t));
      EXPECT_EQ(block.desired[3 * (begin + e + t) + 2], -1);
      if (t == steps) continue;
      EXPECT_EQ(block.action[begin + t], static_cast<float>((13 * episode + static_cast<int>(t)) % 1000));
      EXPECT_EQ(block.terminated[begin + t], t + 1 == steps && episode % 3 == 0);
      EXPECT_EQ(block.truncated[begin + t], t + 1 == steps && episode % 3 != 0);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Episodes, Compression, testing::Bool());

TEST(Episodes, CanBeReadWhileTheyAreRecorded) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(100);
  r.recorder.seal();
  EXPECT_EQ(EpisodeReader(dir.path()).episodes(), r.recorder.episodes());
  EXPECT_GT(EpisodeReader(dir.path()).files().size(), 1u);
  EXPECT_EQ(read_all(dir.path()).episodes(), r.recorder.episodes());
}

TEST(Episodes, MayLieInMorePartsThanFilesMayBeOpen) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(10);
  r.recorder.seal();
  const std::uint64_t episodes = r.recorder.episodes();
  constexpr int kParts = 100;
  for (int i = 1; i < kParts; ++i)
    std::filesystem::create_hard_link(episode_parts(dir.path()) / "000000.h5",
                                      episode_parts(dir.path()) / ("1000" + std::to_string(10 + i) + ".h5"));
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const rlimit few{50, old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  EXPECT_EQ(read_all(dir.path()).episodes(), kParts * episodes);
  ::setrlimit(RLIMIT_NOFILE, &old);
}

TEST(Episodes, OfAResumedRunAreThoseOfAnUninterruptedOne) {
  const TemporaryDirectory whole, cut;
  {
    Recording r(whole.path());
    r.run(200);
    r.recorder.finish();
  }
  {
    Recording r(cut.path());
    r.run(77);
    r.recorder.seal();
    save_state(cut / "c.h5", "test", [&](StateVisitor& v) { r.visit_state(v); });
    r.run(60);  // a run that is killed after more of it has been sealed
    r.recorder.seal();
  }
  {
    Recording r(cut.path());
    load_state(cut / "c.h5", "test", [&](StateVisitor& v) { r.visit_state(v); });
    for (int t = 0; t < 77; ++t) r.script.next();
    r.step = 77 * 3;
    r.run(123);
    r.recorder.finish();
  }
  EXPECT_TRUE(content(episode_file(whole.path())) == content(episode_file(cut.path())));
  // A finished run that continues from the same step.
  Recording again(cut.path());
  EXPECT_THAT(message_of<std::runtime_error>([&] {
                std::filesystem::remove(episode_file(cut.path()));
                load_state(cut / "c.h5", "test", [&](StateVisitor& v) { again.visit_state(v); });
              }),
              HasSubstr("holds 0 recorded episodes"));
}

TEST(Episodes, CanBeCutBackToASeal) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(50);
  r.recorder.seal();
  const std::uint64_t before = r.recorder.episodes();
  r.run(200);
  r.recorder.cut_back(before);
  EXPECT_EQ(r.recorder.episodes(), before);
  EXPECT_EQ(EpisodeReader(dir.path()).episodes(), before);
}

TEST(Episodes, OfAFullDiskStopTheRecordingWithOneMessage) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(300);
  r.recorder.seal();
  const std::uint64_t recorded = r.recorder.episodes();
  {
    const FileSizeLimit full(1000);
    r.run(900);
    r.recorder.seal();
  }
  EXPECT_FALSE(r.recorder.active());
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_THAT(r.failures[0], testing::AllOf(HasSubstr("recording of episodes stops: "), HasSubstr("File too large"),
                                            HasSubstr("training goes on")));
  r.run(300);
  r.recorder.finish();
  EXPECT_EQ(read_all(dir.path()).episodes(), recorded);
}

TEST(Episodes, LongerThanTheirTimeLimitAreRefused) {
  const EnvSpec spec = script_spec(3);
  Script script(script_spec(20), 1);
  EpisodeStage stage(spec, 1, EpisodePurpose::evaluation);
  for (int t = 0; t < 3; ++t) stage.add(script.next(), 0);
  EXPECT_THROW(stage.add(script.next(), 0), std::logic_error);
  EXPECT_THROW(stage.add(script.next(), 1), std::logic_error);
}

// Every byte of the numbers counts: with one bit of it flipped, reading says so.
TEST(Episodes, OfAFileWithAFlippedBitAreRefused) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(300);
  r.recorder.finish();
  const std::filesystem::path file = episode_file(dir.path());
  const EpisodeBlock block = read_all(file);
  const std::string whole = content(file);
  const auto flip = [&](const auto& column, std::size_t i) {
    using T = typename std::decay_t<decltype(column)>::value_type;
    // Where a run of these numbers lies in the file.
    const std::string_view numbers(reinterpret_cast<const char*>(column.data()),
                                   std::min<std::size_t>(column.size(), 64) * sizeof(T));
    const std::size_t at = whole.find(numbers);
    ASSERT_NE(at, whole.npos);
    std::string damaged = whole;
    damaged[at + i] = static_cast<char>(damaged[at + i] ^ 1);
    set_content(file, damaged);
    EXPECT_THAT(message_of<std::runtime_error>([&] { read_all(file); }), HasSubstr("the file is damaged")) << i;
  };
  for (const std::size_t i : {0, 1, 77}) {
    flip(block.observation, i);
    flip(block.desired, i);
    flip(block.action, i);
    flip(block.run_step, i);
  }
  for (const std::size_t i : {0, 1, 33}) flip(block.truncated, i);
  set_content(file, whole);
  EXPECT_EQ(read_all(file).reward, block.reward);
}

TEST(Episodes, SayWhichOfThemFailed) {
  const TemporaryDirectory dir;
  Script script(kSpec, 2, true);
  EpisodeStage stage(kSpec, 2, EpisodePurpose::training);
  EpisodeBlock block;
  std::vector<std::uint8_t> failed;
  for (int t = 0; t < 100; ++t) {
    StepBatch step = script.next();
    if (t % 2 == 0) step.failed[0] = 0;  // the task's own end, without success: no failure
    for (std::size_t lane = 0; lane < 2; ++lane) {
      stage.add(step, lane);
      if (!step.ended(lane)) continue;
      stage.move_episode(lane, 0, block);
      failed.push_back(step.failed[lane]);
    }
  }
  EpisodeFileWriter writer(dir / "e.h5", EpisodeHeader::of(kSpec, 5, ""), false);
  writer.append(block);
  writer.close();
  const EpisodeBlock read = read_all(dir / "e.h5");
  EXPECT_EQ(read.failed, block.failed);
  EXPECT_TRUE(EpisodeReader(dir / "e.h5").header().has_failed);
  std::uint64_t failures = 0, ends_without = 0;
  for (std::uint64_t e = 0; e < read.episodes(); ++e) {
    EXPECT_EQ(read.failed[read.end[e] - 1], failed[e]) << e;
    failures += failed[e];
    ends_without += read.terminated[read.end[e] - 1] && !failed[e];
  }
  EXPECT_GT(failures, 0u);
  EXPECT_GT(ends_without, 0u);
}

TEST(Episodes, ThatHaveNotEndedCountAsTruncated) {
  Script script(kSpec, 3);
  EpisodeStage stage(kSpec, 3, EpisodePurpose::rollout);
  const StepBatch* step = &script.next();
  while (step->ended(1)) step = &script.next();
  stage.add(*step, 1);
  EpisodeBlock block;
  stage.move_episode(1, 9, block);
  EXPECT_EQ(block.truncated, std::vector<std::uint8_t>{1});
  EXPECT_EQ(block.observation.size(), 6u);
  EXPECT_EQ(stage.steps(1), 0u);
}

}  // namespace
}  // namespace goalpost
