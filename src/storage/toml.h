// The values of a TOML file by dotted path, each with its file and line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace goalpost {

/// The values of a TOML file and of `--set`, which replaces them, by dotted path ("agent.her.k").
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
  /// @param name of the text in messages
  static TomlValues from_text(std::string_view text, const std::string& name);

  /// Sets one value from an assignment "a.b=value". A value that is not TOML is a string, so that
  /// agent.her.strategy=final needs no quotes.
  /// @throws UsageError if there is no "=", the key is not a dotted name, or the value is not UTF-8
  void set(const std::string& assignment);

  /// Sets one value.
  void put(const std::string& path, const std::string& text) { values_[path] = {text, path}; }
  void put(const std::string& path, Value value) { values_[path] = std::move(value); }
  void erase(const std::string& path) { values_.erase(path); }

  const Value* find(const std::string& path) const;
  const std::map<std::string, Value>& all() const { return values_; }

 private:
  std::map<std::string, Value> values_;
};

/// Whether a value was put over a file's: by TomlValues::set.
inline bool is_set_by_hand(const TomlValues::Value& value) { return value.origin.starts_with("--set"); }

/// A value as text for messages.
std::string show(const TomlValues::Value& value);

}  // namespace goalpost
