#include "run/claim.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/temporary_directory.h"

namespace goalpost {
namespace {

// As a process of another machine writes it.
void write_foreign(const std::filesystem::path& file, std::chrono::seconds age) {
  set_content(file, "node3 17 boot/1 pid:[1]\n1700000000\n");
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - age);
}

TEST(ProcessId, StaysTheSameWhileTheProcessLives) {
  const ProcessId before = ProcessId::self();
  const std::vector<char> memory(std::size_t{1} << 28, 'x');
  EXPECT_EQ(ProcessId::self(), before);
  EXPECT_FALSE(before.has_ended()) << memory.size();
  ::usleep(20'000);  // two ticks
  const pid_t child = fork();
  if (child == 0) ::_exit(ProcessId::self().start == before.start ? 1 : 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "another process has another start";
}

TEST(Claim, IsOnesUntilItIsGivenBack) {
  const TemporaryDirectory here;
  const std::filesystem::path run = here / "setting/seed_1";
  ClaimWatch watch;
  {
    const std::optional<Claim> mine = Claim::take(run, watch);
    ASSERT_TRUE(mine);
    EXPECT_TRUE(mine->beat());
    EXPECT_FALSE(Claim::take(run, watch)) << "taken";
    EXPECT_TRUE(Claim::take(here / "setting/seed_10", watch)) << "another run";
    const std::optional<ClaimHolder> holder = holder_of(run);
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->process, ProcessId::self());
    EXPECT_EQ(holder->text(), fmt::format("process {} on {}", ::getpid(), ProcessId::self().host));
    EXPECT_LE(std::abs(static_cast<double>(holder->since) - static_cast<double>(std::time(nullptr))), 5);
  }
  EXPECT_FALSE(holder_of(run));
  EXPECT_TRUE(std::filesystem::is_empty(here / "setting"));
  EXPECT_TRUE(Claim::take(run, watch));
}

TEST(Claim, OfAProcessThatHasEndedIsTakenOver) {
  const TemporaryDirectory here;
  const std::filesystem::path run = here / "seed_1";
  const pid_t child = fork();
  if (child == 0) {
    ClaimWatch watch;
    const std::optional<Claim> claim = Claim::take(run, watch);
    ::_exit(claim ? 0 : 1);  // as a kill: nothing is given back
  }
  ClaimWatch watch;
  for (int i = 0; i < 1000 && (!holder_of(run) || !holder_of(run)->process.has_ended()); ++i) ::usleep(10'000);
  std::optional<Claim> mine = Claim::take(run, watch);
  ASSERT_TRUE(mine) << "also before its parent has waited for it";
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(mine->beat());
  EXPECT_TRUE(std::filesystem::exists(here / "seed_1.claim_1"));
  EXPECT_FALSE(Claim::take(run, watch));
  mine.reset();
  EXPECT_TRUE(std::filesystem::is_empty(here.path()));
}

TEST(Claim, OfAnotherMachineIsTakenOverAfterALongSilenceOnly) {
  const TemporaryDirectory here;
  const std::filesystem::path run = here / "seed_1", file = here / "seed_1.claim_0";
  ClaimWatch watch;
  write_foreign(file, std::chrono::seconds(100));
  EXPECT_FALSE(Claim::take(run, watch));
  EXPECT_EQ(holder_of(run)->text(), "process 17 on node3");
  write_foreign(file, std::chrono::hours(1));
  EXPECT_FALSE(Claim::take(run, watch)) << "it has just been seen";
  ClaimWatch another;
  std::optional<Claim> mine = Claim::take(run, another);
  ASSERT_TRUE(mine);

  // The same happens to this process.
  write_foreign(here / "seed_1.claim_2", std::chrono::seconds(0));
  EXPECT_FALSE(mine->beat());
  mine.reset();
  EXPECT_TRUE(std::filesystem::exists(here / "seed_1.claim_2")) << "it belongs to the other";
}

TEST(Claim, WithoutAnyTextIsSomeonesWhoHasJustBegun) {
  const TemporaryDirectory here;
  set_content(here / "seed_1.claim_0", "");
  ClaimWatch watch;
  EXPECT_FALSE(Claim::take(here / "seed_1", watch));
  EXPECT_EQ(holder_of(here / "seed_1")->text(), "a process that has just begun");
  set_content(here / "seed_2.claim_x", "no claim");
  EXPECT_TRUE(Claim::take(here / "seed_2", watch));
}

}  // namespace
}  // namespace goalpost
