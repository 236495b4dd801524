// What the options of several sub-commands share: validators and limits of their values.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace goalpost {

inline constexpr std::int64_t kMostSeed = 9'000'000'000'000'000, kMostCount = 1'000'000'000;

/// Integers in any notation, 1e6 and 1_000_000 too.
CLI::Validator integer(std::int64_t low, std::int64_t high);
/// Numbers with a point, of which nan and inf are none.
CLI::Validator number(double low = std::numeric_limits<double>::lowest(),
                      double high = std::numeric_limits<double>::max());

/// --set KEY=VALUE, which may be given several times.
CLI::Option* add_set_option(CLI::App& command, std::vector<std::string>& set, const std::string& what);

/// @throws UsageError for an empty word: as the value of an option it would count as an option that is left out
void expect_no_empty_words(int argc, char** argv);
/// @throws UsageError if the path is there and is no directory
void expect_directory(const std::string& out);

}  // namespace goalpost
