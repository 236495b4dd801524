// Precompiled for every source of storage/ and run/: parsing these is half of the time of their build. No source relies
// on it.
#include <fmt/format.h>

#include <Eigen/Core>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
