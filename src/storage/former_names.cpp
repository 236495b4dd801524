#include "storage/former_names.h"

#include <fmt/format.h>

#include <variant>

#include "core/check.h"

namespace goalpost {

std::vector<std::string> rename_former(TomlValues& values, const std::vector<FieldText>& fields) {
  std::vector<std::string> notes;
  for (const FieldText& f : fields) {
    if (const TomlValues::Value* found = f.former.empty() ? nullptr : values.find(f.former)) {
      const TomlValues::Value value = *found;
      values.erase(f.former);
      const TomlValues::Value* present = values.find(f.path);
      if (present != nullptr && is_set_by_hand(*present) == is_set_by_hand(value))
        throw UsageError(fmt::format("{} is the former name of {}, which is set too ({} and {}); expected one of them",
                                     f.former, f.path, value.origin, present->origin));
      notes.push_back(fmt::format("{} is now {} ({})", f.former, f.path, value.origin));
      if (present == nullptr || is_set_by_hand(value)) values.put(f.path, value);
    }
    const TomlValues::Value* found = f.former_values.empty() ? nullptr : values.find(f.path);
    const std::string* text = found == nullptr ? nullptr : std::get_if<std::string>(&found->value);
    for (const FormerValue& v : f.former_values)
      if (text != nullptr && *text == v.former) {
        const std::string origin = found->origin;
        notes.push_back(fmt::format("{} = \"{}\" is now \"{}\" ({})", f.path, v.former, v.now, origin));
        values.put(f.path, {std::string(v.now), origin});
        break;
      }
  }
  return notes;
}

std::vector<std::string> rename_former(std::string& assignment, const std::vector<FieldText>& fields,
                                       const std::string& origin) {
  TomlValues values;
  try {
    values.set(assignment);
  } catch (const UsageError&) {
    return {};
  }
  if (!origin.empty()) {
    const auto [path, value] = *values.all().begin();
    values.put(path, {value.value, origin});
  }
  const TomlValues::Value before = values.all().begin()->second;
  std::vector<std::string> notes = rename_former(values, fields);
  const auto& [path, after] = *values.all().begin();
  const std::string* text = std::get_if<std::string>(&after.value);
  const std::string* text_before = std::get_if<std::string>(&before.value);
  const bool same = text == nullptr || text_before == nullptr || *text == *text_before;
  if (!notes.empty()) assignment = path + "=" + (same ? assignment.substr(assignment.find('=') + 1) : *text);
  return notes;
}

}  // namespace goalpost
