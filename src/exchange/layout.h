// What other programs need to act with a policy: its arrays, and in JSON how they act together. README.md explains it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace goalpost {

/// An array in C order.
struct PolicyArray {
  std::string name;  ///< "pi/W0", "normalizer/mean"
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};

/// Weights [out x in], biases [out], gains and biases of layer normalizations, and the normalizer's mean and standard
/// deviation.
std::vector<PolicyArray> policy_arrays(Policy policy);

/// How the arrays act together, and where the policy comes from.
nlohmann::ordered_json policy_layout(const Policy& policy);

}  // namespace goalpost
