// Parses TOML, and assignments of --set.
#include "storage/toml.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "core/check.h"
#include "core/text.h"

namespace goalpost {
namespace {

using Value = TomlValues::Value;

std::string type_name(const toml::node& node) {
  std::ostringstream out;
  out << node.type();
  return out.str();
}

decltype(Value::value) convert(const toml::node& node) {
  if (const auto* v = node.as_boolean()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) return v->get();
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* list = node.as_array()) {
    if (list->empty() || list->is_homogeneous<std::int64_t>()) {
      std::vector<std::int64_t> numbers;
      for (const toml::node& element : *list) numbers.push_back(*element.value<std::int64_t>());
      return numbers;
    }
    if (std::all_of(list->begin(), list->end(), [](const toml::node& element) { return element.is_number(); })) {
      std::vector<double> numbers;
      for (const toml::node& element : *list) numbers.push_back(*element.value<double>());
      return numbers;
    }
    if (list->is_homogeneous<std::string>()) {
      std::vector<std::string> strings;
      for (const toml::node& element : *list) strings.push_back(*element.value<std::string>());
      return strings;
    }
    return TomlValues::Other{"a list of mixed or unusual values"};
  }
  return TomlValues::Other{type_name(node)};
}

void flatten(const toml::table& table, const std::string& prefix,
             const std::function<std::string(const toml::node&)>& origin, std::map<std::string, Value>& out) {
  for (const auto& [key, node] : table) {
    const std::string path = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table())
      flatten(*inner, path + ".", origin, out);
    else
      out[path] = {convert(node), origin(node)};
  }
}

}  // namespace

std::string show(const Value& v) {
  struct Shower {
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(std::int64_t x) const { return std::to_string(x); }
    std::string operator()(double x) const { return fmt::format("{}", x); }
    std::string operator()(const std::string& x) const { return "\"" + x + "\""; }
    std::string operator()(const std::vector<std::int64_t>& x) const { return fmt::format("[{}]", fmt::join(x, ", ")); }
    std::string operator()(const std::vector<double>& x) const { return fmt::format("[{}]", fmt::join(x, ", ")); }
    std::string operator()(const std::vector<std::string>& x) const {
      return fmt::format("[\"{}\"]", fmt::join(x, "\", \""));
    }
    std::string operator()(const TomlValues::Other& x) const { return x.type; }
  };
  return std::visit(Shower{}, v.value);
}

TomlValues TomlValues::from_text(std::string_view text, const std::string& name) {
  TomlValues values;
  try {
    const toml::table table = toml::parse(text);
    flatten(
        table, "", [&](const toml::node& node) { return fmt::format("{}:{}", name, node.source().begin.line); },
        values.values_);
  } catch (const toml::parse_error& e) {
    throw UsageError(fmt::format("{}:{}: not TOML: {}", name, e.source().begin.line, e.description()));
  }
  return values;
}

TomlValues TomlValues::from_file(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()))
    throw UsageError(fmt::format("cannot read the configuration {}: {}", file.string(),
                                 errno == 0 ? "the file is empty" : std::strerror(errno)));
  return from_text(text.str(), file.filename().string());
}

void TomlValues::set(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string key = assignment.substr(0, equals);
  const bool dotted_name = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
  if (equals == std::string::npos || !dotted_name)
    throw UsageError(fmt::format("--set {}: expected key=value, e.g. --set env.bits=40", assignment));
  const std::string text = assignment.substr(equals + 1), origin = "--set " + assignment;
  if (!is_utf8(text))
    throw UsageError(fmt::format("--set {}: the value is not UTF-8; expected text that is", assignment));
  try {
    const toml::table table = toml::parse("value = " + text);
    if (table.size() == 1 && (text.find('#') == text.npos || text.find_first_of("\"'") != text.npos)) {  // no comment
      values_[key] = {convert(*table.get("value")), origin};
      return;
    }
  } catch (const toml::parse_error&) {  // not TOML: a bare word, or an integer beyond 64 bits
  }
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  if (text.find_first_not_of("_0123456789", sign) == text.npos && text.find_first_of("0123456789") != text.npos) {
    std::string digits = text;
    std::erase(digits, '_');
    values_[key] = {std::strtod(digits.c_str(), nullptr), origin};
    return;
  }
  values_[key] = {text, origin};
}

const TomlValues::Value* TomlValues::find(const std::string& path) const {
  const auto it = values_.find(path);
  return it == values_.end() ? nullptr : &it->second;
}

}  // namespace goalpost
