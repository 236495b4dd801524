// What Minari's and D4RL's formats have in common: rows of their files, units of actions, and completing what they do
// not store of an episode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "envs/spec.h"
#include "storage/episode_format.h"
#include "storage/hdf5_file.h"

namespace goalpost {

/// Called with one episode at a time, in any format.
using EachEpisode = std::function<void(const EpisodeBlock&)>;

namespace foreign {

/// A dimension as a size.
inline std::size_t n(int dimension) { return static_cast<std::size_t>(dimension); }

/// The actions of all steps, in the unit of the environment.
std::vector<float> actions_in_unit(const EpisodeHeader& h, const EpisodeBlock& b);

/// Rows of a foreign file as float32, checked.
std::vector<float> rows(const Hdf5File& file, const std::filesystem::path& path, const std::string& name,
                        std::uint64_t first, std::uint64_t count, int dimension);

/// 0 or 1 for each row of a foreign file.
std::vector<std::uint8_t> flags(const Hdf5File& file, const std::string& name, std::uint64_t first,
                                std::uint64_t count);

/// Guesses which episodes failed, for files that do not store it.
void guess_failures(const EnvSpec& spec, EpisodeBlock& b);

/// Fills in what foreign formats do not store: ends without a flag, actions in [-1, 1], successes, failures.
void complete_episode(const std::filesystem::path& path, const std::string& where, const EnvSpec& spec,
                      const EpisodeHeader& h, bool with_success, bool with_failed, EpisodeBlock& b);

/// @throws std::runtime_error for an episode that is longer than the environment allows
void expect_time_limit(const std::filesystem::path& path, const std::string& where, std::uint64_t steps,
                       const EnvSpec& spec);

}  // namespace foreign

}  // namespace goalpost
