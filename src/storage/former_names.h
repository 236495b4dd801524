// Former names of fields and of the values of enumerations: what Field::formerly and Field::with_former_values say.
#pragma once

#include <string>
#include <vector>

#include "storage/config_text.h"
#include "storage/toml.h"

namespace goalpost {

/// Puts the present names of fields, and of the values of enumerations, in place of former ones. Returns a sentence for
/// each, "train.lanes is now train.num_envs (mine.toml:4)". What --set says goes before what a file says.
/// @throws UsageError if a field has both of its names in one place
std::vector<std::string> rename_former(TomlValues& values, const std::vector<FieldText>& fields);

/// The same in an assignment "path=value"; any other text is left as it is.
/// @param origin where the assignment is written; empty: on the command line
std::vector<std::string> rename_former(std::string& assignment, const std::vector<FieldText>& fields,
                                       const std::string& origin = "");

}  // namespace goalpost
