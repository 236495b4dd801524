// What the fuzz targets begin with, and what they once found: every file of the corpus, by every build.
#include <gtest/gtest.h>

#include <filesystem>

#include "support/temporary_directory.h"

extern "C" {
int fuzz_actions(const std::uint8_t* data, std::size_t size);
int fuzz_episodes(const std::uint8_t* data, std::size_t size);
int fuzz_toml(const std::uint8_t* data, std::size_t size);
}

namespace goalpost {
namespace {

struct Target {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};

class FuzzCorpus : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, IsReadOrRefused) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(GOALPOST_SOURCE "/tests/fuzz/corpus") / GetParam().name)) {
    SCOPED_TRACE(entry.path().string());
    const std::string bytes = content(entry.path());
    EXPECT_EQ(GetParam().run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
    ++files;
  }
  EXPECT_GT(files, 0);
}
INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus,
                         testing::Values(Target{"actions", fuzz_actions}, Target{"episodes", fuzz_episodes},
                                         Target{"toml", fuzz_toml}),
                         [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace goalpost
