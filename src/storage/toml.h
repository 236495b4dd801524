// Field tables to and from TOML. Reading reports every problem at once, each with file and line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config.h"

namespace goalpost {

/// The values of a TOML file, and what `--set` puts over them, by dotted path ("agent.her.k").
class TomlValues {
 public:
  struct Other {
    std::string type;  // a type that no field has, e.g. "date"
  };
  struct Value {
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                 std::vector<std::string>, Other>
        value;
    std::string origin;  // "bit_flip_her.toml:12" or "--set agent.her.k=4"
  };

  /// @throws UsageError if the file cannot be read or is not TOML, with file, line and reason
  static TomlValues from_file(const std::filesystem::path& file);
  /// @param name stands for the file in messages
  static TomlValues from_text(std::string_view text, const std::string& name);

  /// Puts one assignment "a.b=value" over the file's. A value that is not TOML counts as a string, so that
  /// agent.her.strategy=final needs no quotes.
  /// @throws UsageError if there is no "=", the key is not a dotted name, or the value is not UTF-8
  void set(const std::string& assignment);

  /// Puts a text over the file's.
  void put(const std::string& path, const std::string& text) { values_[path] = {text, path}; }

  const Value* find(const std::string& path) const;
  const std::map<std::string, Value>& all() const { return values_; }

 private:
  std::map<std::string, Value> values_;
};

/// A value as messages show it.
std::string show(const TomlValues::Value& value);

/// Fills configurations from TOML values. Visit everything, then ask for the problems.
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

  /// A problem that a check of several fields found; the path's origin is added to the sentence.
  void report(const std::string& path, const std::string& sentence);
  /// Everything wrong so far, including keys that no field has asked for, in the order of the file.
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
  std::vector<std::string> known_;  // every path asked for
  std::vector<std::string> problems_;
};

/// One field as `goalpost describe` and hyper-parameter logs show it; value is empty for a number that is left out.
struct FieldText {
  std::string path, value, range, doc, source;
  bool is_number;
  bool affects_results, changeable;  ///< as FieldInfo says of the field and the tables around it
};
std::vector<FieldText> describe_fields(const std::function<void(ConfigVisitor&)>& visit);

/// The fields as TOML text that ConfigReader reads back to the same values. @param written which; all by default
/// @throws UsageError for a string that is not UTF-8
std::string to_toml(
    const std::function<void(ConfigVisitor&)>& visit,
    const std::function<bool(const FieldText&)>& written = [](const FieldText&) { return true; });

}  // namespace goalpost
