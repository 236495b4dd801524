// What the fuzz targets begin with, and what they once found: every file of the corpus, by every build.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "support/temporary_directory.h"

extern "C" {
int fuzz_actions(const std::uint8_t* data, std::size_t size);
int fuzz_episodes(const std::uint8_t* data, std::size_t size);
int fuzz_toml(const std::uint8_t* data, std::size_t size);
}

namespace goalpost {
namespace {

void expect_to_survive(const char* target, int (*run)(const std::uint8_t*, std::size_t)) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(GOALPOST_SOURCE "/tests/fuzz/corpus") / target)) {
    SCOPED_TRACE(entry.path().string());
    const std::string bytes = content(entry.path());
    EXPECT_EQ(run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
    ++files;
  }
  EXPECT_GT(files, 0);
  std::signal(SIGPIPE, SIG_DFL);  // the targets ignore it
}

// These come first of all tests of their program: where HDF5 reads what it has freed, the memory has had no other
// owner.
TEST(FuzzCorpus, ActionsAreReadOrRefused) { expect_to_survive("actions", fuzz_actions); }
TEST(FuzzCorpus, EpisodesAreReadOrRefused) { expect_to_survive("episodes", fuzz_episodes); }
TEST(FuzzCorpus, TomlIsReadOrRefused) { expect_to_survive("toml", fuzz_toml); }

}  // namespace
}  // namespace goalpost
