// Policies in the formats of other programs, for `goalpost policy export`. README.md says what each holds.
#pragma once

#include <filesystem>
#include <string>

#include "policy/policy.h"

namespace goalpost {

/// NumPy's archive: the arrays of policy_arrays and `layout`, JSON as text.
void export_npz(const Policy& policy, const std::filesystem::path& file);

/// The arrays of policy_arrays in the safetensors format, with the layout as metadata.
void export_safetensors(const Policy& policy, const std::filesystem::path& file);

/// An ONNX model, operator set 13, for any number of observations at once:
///   observation [n x obs], desired_goal [n x goal] -> action [n x act], in the environment's unit (index: [n])
///   sampled_action [n x act], where actions can be sampled; q_values [n x choices] of discrete actions
///   of HIRO also subgoal [n x subgoal], steps [n x 1] -> next_subgoal, next_steps: the next step's; steps is 0 when an
///   episode begins
void export_onnx(const Policy& policy, const std::filesystem::path& file);

/// A header in C99 that needs only math.h and allocates nothing, with an example that it checks itself.
/// @param name what its functions and constants begin with, an identifier
void export_c(const Policy& policy, const std::filesystem::path& file, const std::string& name);

/// By the end of the file's name: .npz, .safetensors, .onnx, .h.
/// @param name of export_c @throws UsageError for another end, or a name that is no identifier; std::runtime_error with
/// path and reason if it cannot be written
void export_policy(const Policy& policy, const std::filesystem::path& file, const std::string& name);

}  // namespace goalpost
