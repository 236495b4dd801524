// Checkpoints: one HDF5 dataset per visited name, scopes as groups. A matrix [rows x cols] is a dataset [cols x rows],
// so that one row of the dataset is one column, a sample; numbers are as in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "core/state.h"

namespace goalpost {

/// Calls visit_state of everything that belongs to the state, always in the same order.
using StateTraversal = std::function<void(StateVisitor&)>;

/// Writes the state. The file appears, or replaces an earlier one, only when it is complete and on the disk.
/// @param kind what the state is of, e.g. "run"; load_state asks for the same
/// @throws std::runtime_error with path and reason, e.g. a full disk, or a name that is visited twice
void save_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit);

/// Reads the state back. Values are in place when visit() returns, so sizes may depend on counters visited before.
/// After an error the state is partly read and no longer usable.
/// @throws std::runtime_error with path, dataset and difference if the file is no complete HDF5 file, is of another
/// kind or schema, lacks a name or holds one that is not visited, or has another type or shape
void load_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit);

/// 64 bits over names, shapes and bytes: equal states have equal hashes; different ones almost surely do not.
std::uint64_t state_hash(const StateTraversal& visit);

}  // namespace goalpost
