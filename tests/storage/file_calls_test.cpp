// What survives a kill or a power failure is a matter of the order in which files are synced, renamed and removed.
#include "support/file_calls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "storage/checkpoint.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "storage/episode_recorder.h"
#include "storage/file.h"
#include "support/script.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

StateTraversal counter(std::uint64_t value) {
  return [value](StateVisitor& v) {
    std::uint64_t number = value;
    v.visit("number", number);
  };
}

TEST(FileCalls, AreThoseOfTheLibraryInOrder) {
  const TemporaryDirectory dir;
  set_content(dir / "a", "x");
  const FileCalls calls;
  fs::create_hard_link(dir / "a", dir / "b");
  fs::rename(dir / "b", dir / "c");
  OutputFile(dir / "c", OutputFile::Mode::append).sync();
  fs::remove(dir / "c");
  EXPECT_EQ(calls.text(), "link a b\nrename b c\nsync c\nremove c\n");
  EXPECT_EQ(problem_of_replacement(calls.calls(), dir / "c"),
            (dir / "b").string() + " was renamed before it was synced");
  EXPECT_EQ(problem_of_replacement(calls.calls(), dir / "d"), "nothing was renamed to " + (dir / "d").string());
}

TEST(FileCalls, AFileIsOnTheDiskBeforeItTakesItsPlaceAndThenItsDirectory) {
  const TemporaryDirectory dir;
  for (int i = 0; i < 2; ++i) {  // new, and instead of an earlier one
    const FileCalls calls;
    write_file_atomically(dir / "text", "something");
    EXPECT_EQ(problem_of_replacement(calls.calls(), dir / "text"), "") << calls.text();
  }
}

TEST(FileCalls, AStateIsOnTheDiskBeforeItTakesItsPlaceAndThenItsDirectory) {
  const TemporaryDirectory dir;
  for (std::uint64_t i = 0; i < 2; ++i) {
    const FileCalls calls;
    save_state(dir / "state.h5", "test", counter(i));
    EXPECT_EQ(problem_of_replacement(calls.calls(), dir / "state.h5"), "") << calls.text();
  }
}

TEST(FileCalls, WhileACheckpointIsSavedTheLastOneIsThere) {
  for (const int kept : {1, 2, 3}) {
    const TemporaryDirectory dir;
    CheckpointSeries series(dir.path(), kept);
    std::int64_t last = 0;
    int looks = 0;
    for (std::int64_t step = 1; step <= 5; ++step) {
      const fs::path newest = CheckpointSeries::newest(dir.path());
      const FileCalls calls([&](const FileCall& call) {  // a kill may come between any two calls
        if (last == 0) return;
        ++looks;
        std::size_t complete = 0;
        for (const auto& entry : fs::directory_iterator(dir.path())) complete += entry.path().extension() == ".h5";
        EXPECT_TRUE(fs::exists(newest)) << "before: " << call.text();
        EXPECT_GE(complete, static_cast<std::size_t>(std::min<std::int64_t>(kept, last))) << "before: " << call.text();
      });
      series.save(step, "test", counter(static_cast<std::uint64_t>(step)), "");
      EXPECT_EQ(problem_of_replacement(calls.calls(), newest), "") << calls.text();
      last = step;
    }
    EXPECT_GT(looks, 8);
  }
}

// Records scripted episodes of one lane.
struct Recording {
  EnvSpec spec = test::script_spec(6);
  test::Script script{spec, 1};
  EpisodeStage stage{spec, 1, EpisodePurpose::training};
  EpisodeRecorder recorder;

  explicit Recording(const fs::path& directory, std::size_t block_bytes = 1 << 20)
      : recorder(directory, spec, EpisodeHeader::of(spec, 5, ""),
                 {.compressed = false, .block_bytes = block_bytes, .on_failure = [](const std::string& s) {
                    ADD_FAILURE() << s;
                  }}) {}
  void run(int steps) {
    for (int t = 1; t <= steps; ++t) recorder.append(stage, script.next(), 0, static_cast<std::uint64_t>(t));
  }
};

TEST(FileCalls, SealReturnsWhenTheEpisodesAreOnTheDiskUnderTheirName) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(200);
  const std::uint64_t recorded = r.recorder.episodes();
  ASSERT_GT(recorded, 0u);
  const fs::path part = episode_parts(dir.path()) / "000000.h5";
  const FileCalls calls([&](const FileCall& call) {  // a slow disk
    if (call.kind == FileCall::Kind::sync) std::this_thread::sleep_for(std::chrono::milliseconds(150));
  });
  r.recorder.seal();
  EXPECT_EQ(problem_of_replacement(calls.calls(), part), "") << calls.text();
  EXPECT_EQ(EpisodeReader(dir.path()).episodes(), recorded);
}

TEST(FileCalls, SealWaitsForWhatIsBeingWrittenThoughNothingElseIsThere) {
  const TemporaryDirectory dir;
  Recording r(dir.path(), 1);  // each episode is handed to the writer when it ends
  std::atomic<bool> writing = false;
  const FileCalls calls([&](const FileCall&) {
    writing = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
  });
  while (r.recorder.episodes() == 0) r.run(1);
  while (!writing) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  r.recorder.seal();
  EXPECT_EQ(problem_of_replacement(calls.calls(), episode_parts(dir.path()) / "000000.h5"), "") << calls.text();
  EXPECT_EQ(EpisodeReader(dir.path()).episodes(), 1u);
}

TEST(FileCalls, APartUnderItsNameIsWhole) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(200);
  const std::uint64_t recorded = r.recorder.episodes();
  const fs::path part = episode_parts(dir.path()) / "000000.h5";
  std::atomic<int> looks = 0;
  {
    const FileCalls calls([&](const FileCall& call) {
      if (call.kind != FileCall::Kind::sync || !fs::exists(part)) return;  // the directory's, after the rename
      const TemporaryDirectory copy;  // what a power failure would leave; the original may be locked
      fs::copy_file(part, copy / "000000.h5");
      EXPECT_EQ(EpisodeReader(copy / "000000.h5").episodes(), recorded);
      ++looks;
    });
    r.recorder.seal();
  }
  EXPECT_GT(looks, 0);
}

TEST(FileCalls, PartsGoWhenTheWholeFileIsOnTheDisk) {
  const TemporaryDirectory dir;
  Recording r(dir.path());
  r.run(200);
  r.recorder.seal();
  bool early = false;
  const FileCalls calls([&](const FileCall& call) {
    if (call.kind == FileCall::Kind::remove && call.path.extension() == ".h5" && !fs::exists(episode_file(dir.path())))
      early = true;
  });
  r.recorder.finish();
  EXPECT_EQ(problem_of_replacement(calls.calls(), episode_file(dir.path())), "") << calls.text();
  EXPECT_FALSE(early);
}

}  // namespace
}  // namespace goalpost
