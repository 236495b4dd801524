#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

namespace goalpost {
namespace {

// The list of ./goalpost test mutants: each text is found once, each file of algos/, autodiff/ and nn/ is covered.
TEST(Mutants, FitTheSources) {
  const std::string command = "python3 '" GOALPOST_SOURCE "/tests/mutants.py' --check 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << text;
}

}  // namespace
}  // namespace goalpost
