// Configurations to and from TOML, by their tables of fields. Reading reports all problems together, each with file and
// line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "storage/toml.h"

namespace goalpost {

/// Fills configurations from TOML values. Visit all fields, then call problems().
class ConfigReader final : public ConfigVisitor {
 public:
  explicit ConfigReader(const TomlValues& values) : values_(values) {}

  void visit(const FieldInfo& info, bool& value) override;
  void visit(const FieldInfo& info, int& value) override;
  void visit(const FieldInfo& info, std::int64_t& value) override;
  void visit(const FieldInfo& info, float& value) override;
  void visit(const FieldInfo& info, double& value) override;
  void visit(const FieldInfo& info, std::optional<double>& value) override;
  void visit(const FieldInfo& info, std::string& value) override;
  void visit(const FieldInfo& info, std::vector<int>& value) override;
  void visit(const FieldInfo& info, std::vector<double>& value) override;
  void visit(const FieldInfo& info, std::vector<std::string>& value) override;
  void visit_enum(const FieldInfo& info, int& value, EnumNames names) override;
  void enter(const FieldInfo& info) override;
  void leave() override { tables_.pop_back(); }

  /// For messages: whose settings a table holds, e.g. the environment's name for "env", and the command that lists
  /// them.
  void name_owner(std::string table, std::string owner, std::string list) {
    owners_.push_back({std::move(table), std::move(owner), std::move(list)});
  }
  /// For suggestions: names that are replaced before the values are read.
  void name_others(std::vector<std::string> names) { others_ = std::move(names); }
  /// A problem that a check of several fields found; the path's origin is added to the sentence.
  void report(const std::string& path, const std::string& sentence);
  /// All problems so far, including keys that no visited field has, in the order of the file.
  std::vector<std::string> problems();

 private:
  const TomlValues::Value* take(const FieldInfo& info);
  std::string path(const FieldInfo& info) const;
  void wrong_type(const FieldInfo& info, const TomlValues::Value& value, const char* expected);
  void beyond(const FieldInfo& info, const TomlValues::Value& value);  // an integer that no double holds exactly
  bool in_range(const FieldInfo& info, double number, const TomlValues::Value& value);
  template <class T>
  void read_integer(const FieldInfo& info, T& out);
  template <class T>
  void read_real(const FieldInfo& info, T& out);

  const TomlValues& values_;
  std::vector<std::string> tables_;
  std::vector<std::string> known_;  // every path visited
  std::vector<std::string> problems_;
  struct Owner {
    std::string table, name, list;
  };
  std::vector<Owner> owners_;
  std::vector<std::string> others_;
};

/// One field as shown by `goalpost describe` and hyper-parameter logs; value is empty for an unset number.
struct FieldText {
  std::string path, value, range, doc, source;
  bool is_number;
  bool affects_results, changeable;  ///< as in FieldInfo of the field and the tables around it
  std::string former;                ///< the path of earlier versions; empty: none
  std::span<const FormerValue> former_values;
};
std::vector<FieldText> describe_fields(const std::function<void(ConfigVisitor&)>& visit);

/// The fields as TOML text that ConfigReader reads back to the same values. @param written which; all by default
/// @throws UsageError for a string that is not UTF-8
std::string to_toml(
    const std::function<void(ConfigVisitor&)>& visit,
    const std::function<bool(const FieldText&)>& written = [](const FieldText&) { return true; });

}  // namespace goalpost
