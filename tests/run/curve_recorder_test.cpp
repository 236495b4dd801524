#include "run/curve_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "storage/csv.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::ElementsAre;
using testing::NanSensitiveDoubleEq;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TrainProgress progress(std::int64_t step, const PhaseSeconds& phases) {
  TrainProgress p;
  p.step = step;
  p.phases = phases;
  return p;
}

TEST(CurveRecorder, WritesTheSecondsOfEachPhaseSinceTheRowBefore) {
  const TemporaryDirectory here;
  {
    RunLog log(here / "r", "");
    CurveRecorder curves(log, {});
    curves.write(progress(0, {.evaluate = 0.5}), {}, {});
    curves.write(progress(100, {.environment = 1, .act = 2, .sample = 3, .update = 4, .evaluate = 0.75}), {}, {});
    curves.write(progress(200, {.environment = 1.5, .act = 4, .sample = 6, .update = 8, .evaluate = 1.75}), {}, {});
  }
  const CsvTable table = read_csv(here / "r/train.csv");
  EXPECT_THAT(table.column("seconds_environment"), ElementsAre(0, 1, 0.5));
  EXPECT_THAT(table.column("seconds_act"), ElementsAre(0, 2, 2));
  EXPECT_THAT(table.column("seconds_sample"), ElementsAre(0, 3, 3));
  EXPECT_THAT(table.column("seconds_update"), ElementsAre(0, 4, 4));
  EXPECT_THAT(table.column("seconds_evaluate"), ElementsAre(0.5, 0.25, 1));
  EXPECT_FALSE(read_csv(here / "r/eval.csv").has("seconds_act"));
}

// The steps before the row were another process's.
TEST(CurveRecorder, LeavesThemOutOfARunThatWasResumedForItsEvaluation) {
  const TemporaryDirectory here;
  {
    RunLog log(here / "r", "");
    CurveRecorder curves(log, progress(100, {}));
    curves.write(progress(100, {.sample = 0.1, .evaluate = 0.5}), {}, {});
    curves.write(progress(200, {.sample = 0.3, .evaluate = 0.75}), {}, {});
  }
  EXPECT_THAT(read_csv(here / "r/train.csv").column("seconds_evaluate"),
              ElementsAre(NanSensitiveDoubleEq(kNone), 0.25));
}

// train.csv as it was before its rows had seconds.
TEST(CurveRecorder, GoesOnInATableWithoutThem) {
  const TemporaryDirectory here;
  RunLog(here / "r", "").write("train", 100, std::vector<RunLog::Column>{{"loss", 0.5}});
  {
    RunLog log = RunLog::resume(here / "r", 100);
    CurveRecorder curves(log, progress(100, {}));
    Metrics metrics;
    metrics.add("train/loss", 0.25);
    curves.write(progress(200, {.act = 2}), {}, metrics);
  }
  const CsvTable table = read_csv(here / "r/train.csv");
  EXPECT_THAT(table.column("step"), ElementsAre(100, 200));
  EXPECT_THAT(table.column("loss"), ElementsAre(0.5, 0.25));
  EXPECT_THAT(table.column("seconds_act"), ElementsAre(NanSensitiveDoubleEq(kNone), 2));
}

}  // namespace
}  // namespace goalpost
