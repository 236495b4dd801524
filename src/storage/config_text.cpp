// Reads fields from TOML values, and writes them as text.
#include "storage/config_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/suggest.h"
#include "core/text.h"

namespace goalpost {
namespace {

using Value = TomlValues::Value;

// An integer in whatever notation, 1e6 too; nothing for fractions and where doubles are not exact.
std::optional<std::int64_t> integer_of(const Value& v) {
  if (const auto* integer = std::get_if<std::int64_t>(&v.value)) return *integer;
  constexpr double kExact = 9007199254740992;  // 2^53
  if (const auto* real = std::get_if<double>(&v.value))
    if (std::abs(*real) <= kExact && std::trunc(*real) == *real) return static_cast<std::int64_t>(*real);
  return {};
}

bool bounded(double x) { return std::isfinite(x); }

std::string range_text(const FieldInfo& info) {
  if (bounded(info.low) && bounded(info.high)) return fmt::format("[{}, {}]", info.low, info.high);
  if (bounded(info.low)) return fmt::format(">= {}", info.low);
  if (bounded(info.high)) return fmt::format("<= {}", info.high);
  return "";
}

}  // namespace

// ---- reading --------------------------------------------------------------------------------------------------------

std::string ConfigReader::path(const FieldInfo& info) const {
  std::string text;
  for (const std::string& table : tables_) text += table + ".";
  return text + std::string(info.name);
}

void ConfigReader::enter(const FieldInfo& info) {
  const std::string table = path(info);
  if (const Value* v = values_.find(table)) {
    known_.push_back(table);
    problems_.push_back(fmt::format("{} = {}; expected a table ({})", table, show(*v), v->origin));
  }
  tables_.emplace_back(info.name);
}

const Value* ConfigReader::take(const FieldInfo& info) {
  known_.push_back(path(info));
  return values_.find(known_.back());
}

void ConfigReader::wrong_type(const FieldInfo& info, const Value& value, const char* expected) {
  problems_.push_back(fmt::format("{} = {}; expected {} ({})", path(info), show(value), expected, value.origin));
}

bool ConfigReader::in_range(const FieldInfo& info, double number, const Value& value) {
  if (number >= info.low && number <= info.high) return true;
  problems_.push_back(fmt::format(
      "{} = {} lies outside {} ({})", path(info), show(value),
      bounded(info.low) && bounded(info.high) ? range_text(info) : "the numbers " + range_text(info), value.origin));
  return false;
}

void ConfigReader::beyond(const FieldInfo& info, const Value& value) {
  std::string range = range_text(info);
  if (range.empty()) range = "64-bit integers";
  problems_.push_back(fmt::format("{} = {} lies outside {} ({})", path(info), show(value), range, value.origin));
}

void ConfigReader::visit(const FieldInfo& info, bool& value) {
  const Value* v = take(info);
  if (v == nullptr) return;
  if (const bool* flag = std::get_if<bool>(&v->value))
    value = *flag;
  else
    wrong_type(info, *v, "true or false");
}

template <class T>
void ConfigReader::read_integer(const FieldInfo& info, T& out) {
  const Value* v = take(info);
  if (v == nullptr) return;
  std::optional<std::int64_t> number = integer_of(*v);
  if (const double* real = std::get_if<double>(&v->value); real && !number && std::trunc(*real) == *real)
    return beyond(info, *v);
  const std::string* text = std::get_if<std::string>(&v->value);
  if (text != nullptr && !text->empty() && std::isdigit(static_cast<unsigned char>(text->front())))  // 1M, 10k
    return wrong_type(info, *v, "an integer, e.g. 1_000_000 or 1e6");
  if (!number) return wrong_type(info, *v, "an integer");
  if (!in_range(info, static_cast<double>(*number), *v)) return;
  if (*number < std::numeric_limits<T>::min() || *number > std::numeric_limits<T>::max())
    return wrong_type(info, *v, "an integer of at most 32 bits");
  out = static_cast<T>(*number);
}

template <class T>
void ConfigReader::read_real(const FieldInfo& info, T& out) {
  const Value* v = take(info);
  if (v == nullptr) return;
  double number;
  if (const double* real = std::get_if<double>(&v->value))
    number = *real;
  else if (const std::int64_t* integer = std::get_if<std::int64_t>(&v->value))
    number = static_cast<double>(*integer);
  else
    return wrong_type(info, *v, "a number");
  if (std::isnan(number)) return wrong_type(info, *v, "a number");
  if (in_range(info, number, *v)) out = static_cast<T>(number);
}

void ConfigReader::visit(const FieldInfo& info, int& value) { read_integer(info, value); }
void ConfigReader::visit(const FieldInfo& info, std::int64_t& value) { read_integer(info, value); }
void ConfigReader::visit(const FieldInfo& info, float& value) { read_real(info, value); }
void ConfigReader::visit(const FieldInfo& info, double& value) { read_real(info, value); }
void ConfigReader::visit(const FieldInfo& info, std::optional<double>& value) {
  double number = std::numeric_limits<double>::quiet_NaN();  // which read_real never yields
  read_real(info, number);
  if (!std::isnan(number)) value = number;
}

void ConfigReader::visit(const FieldInfo& info, std::string& value) {
  const Value* v = take(info);
  if (v == nullptr) return;
  if (const std::string* text = std::get_if<std::string>(&v->value))
    value = *text;
  else
    wrong_type(info, *v, "a string");
}

void ConfigReader::visit(const FieldInfo& info, std::vector<int>& value) {
  const Value* v = take(info);
  if (v == nullptr) return;
  std::vector<std::int64_t> list;
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&v->value)) list = *integers;
  const auto* reals = std::get_if<std::vector<double>>(&v->value);
  for (std::size_t i = 0; reals != nullptr && i < reals->size(); ++i)
    if (const auto number = integer_of({(*reals)[i], ""})) list.push_back(*number);
  if (!std::holds_alternative<std::vector<std::int64_t>>(v->value) && (reals == nullptr || list.size() < reals->size()))
    return wrong_type(info, *v, "a list of integers, e.g. [256, 256]");
  for (const std::int64_t number : list)
    if (!in_range(info, static_cast<double>(number), *v)) return;
  value.clear();
  for (const std::int64_t number : list) {
    if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max())
      return wrong_type(info, *v, "integers of at most 32 bits");
    value.push_back(static_cast<int>(number));
  }
}

void ConfigReader::visit(const FieldInfo& info, std::vector<double>& value) {
  const Value* v = take(info);
  if (v == nullptr) return;
  std::vector<double> list;
  if (const auto* reals = std::get_if<std::vector<double>>(&v->value))
    list = *reals;
  else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&v->value))
    list.assign(integers->begin(), integers->end());
  else
    return wrong_type(info, *v, "a list of numbers, e.g. [0.1, 0.2]");
  for (const double number : list) {
    if (std::isnan(number)) return wrong_type(info, *v, "a list of numbers, e.g. [0.1, 0.2]");
    if (!in_range(info, number, *v)) return;
  }
  value = std::move(list);
}

void ConfigReader::visit(const FieldInfo& info, std::vector<std::string>& value) {
  const Value* v = take(info);
  if (v == nullptr) return;
  if (const auto* list = std::get_if<std::vector<std::string>>(&v->value)) {
    value = *list;
  } else if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&v->value); numbers && numbers->empty()) {
    value.clear();
  } else {
    wrong_type(info, *v, "a list of strings");
  }
}

void ConfigReader::visit_enum(const FieldInfo& info, int& value, EnumNames names) {
  const Value* v = take(info);
  if (v == nullptr) return;
  const std::string* text = std::get_if<std::string>(&v->value);
  if (text != nullptr) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (*text == names[i]) {
        value = static_cast<int>(i);
        return;
      }
    }
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  problems_.push_back(fmt::format("{} = {}; expected one of {}{} ({})", path(info), show(*v), fmt::join(names, ", "),
                                  text != nullptr ? did_you_mean(*text, candidates) : "", v->origin));
}

void ConfigReader::report(const std::string& path, const std::string& sentence) {
  const Value* v = values_.find(path);
  problems_.push_back(v != nullptr ? fmt::format("{} ({})", sentence, v->origin) : sentence);
}

namespace {

// How many parts of two paths are equal, from the last one on: 2 of a.pi.lr and b.pi.lr.
std::size_t common_last_parts(std::string_view a, std::string_view b) {
  std::size_t parts = 0;
  while (!a.empty() && !b.empty()) {
    const std::size_t dot_a = a.rfind('.'), dot_b = b.rfind('.');
    const auto last = [](std::string_view text, std::size_t dot) {
      return dot == text.npos ? text : text.substr(dot + 1);
    };
    if (last(a, dot_a) != last(b, dot_b)) break;
    ++parts;
    a = dot_a == a.npos ? std::string_view() : a.substr(0, dot_a);
    b = dot_b == b.npos ? std::string_view() : b.substr(0, dot_b);
  }
  return parts;
}

}  // namespace

std::vector<std::string> ConfigReader::problems() {
  std::vector<std::string> all = problems_;
  const std::set<std::string> known(known_.begin(), known_.end());
  for (const auto& [path, value] : values_.all()) {
    if (known.contains(path)) continue;
    // Suggest a field with the same last name in another table, then a similar one of this table, then of any.
    const std::size_t dot = path.rfind('.');
    const std::string table = dot == std::string::npos ? "" : path.substr(0, dot + 1), leaf = path.substr(table.size());
    std::vector<std::string_view> siblings, paths;
    std::string_view same_leaf;
    std::size_t same_parts = 0;  // the last ones of same_leaf's path
    for (const std::string& candidate : known) {
      paths.push_back(candidate);
      if (candidate.starts_with(table) && candidate.find('.', table.size()) == std::string::npos)
        siblings.push_back(std::string_view(candidate).substr(table.size()));
      if (const std::size_t same = common_last_parts(candidate, path); same > 0 && same >= same_parts) {
        same_leaf = candidate;
        same_parts = same;
      }
    }
    const bool of_env = table == "env." || table.starts_with("env.");  // others_ are no environment's
    const bool other = !of_env && std::find(others_.begin(), others_.end(), leaf) != others_.end();
    if (table.empty()) siblings.insert(siblings.end(), others_.begin(), others_.end());
    std::string hint = other && same_parts < 2 ? fmt::format("; did you mean {}?", leaf)
                       : !same_leaf.empty()    ? fmt::format("; did you mean {}?", same_leaf)
                                               : did_you_mean(leaf, siblings);
    if (hint.empty() && !of_env) hint = did_you_mean(leaf, {others_.begin(), others_.end()});
    if (hint.empty() && leaf.size() > 2) hint = did_you_mean(path, paths);
    const auto owner = std::find_if(owners_.begin(), owners_.end(),
                                    [&path = path](const auto& entry) { return path.starts_with(entry.table + "."); });
    all.push_back(
        owner == owners_.end()
            ? fmt::format("{}: no such setting ({}){}", path, value.origin,
                          hint.empty() && !owners_.empty()
                              ? fmt::format("; `{}` and `goalpost describe train` show all", owners_.back().list)
                              : hint)
            : fmt::format("{} has no setting {} ({}){}", owner->name, path, value.origin,
                          !hint.empty() ? hint : fmt::format("; `{}` shows them all", owner->list)));
  }
  return all;
}

// ---- writing --------------------------------------------------------------------------------------------------------

namespace {

// Calls a function with path, text of the value and table info for every field.
class FieldLister : public ConfigVisitor {
 public:
  void visit(const FieldInfo& info, bool& value) override { add(info, value ? "true" : "false", false); }
  void visit(const FieldInfo& info, int& value) override { add(info, std::to_string(value), true); }
  void visit(const FieldInfo& info, std::int64_t& value) override { add(info, std::to_string(value), true); }
  void visit(const FieldInfo& info, float& value) override { add(info, real(value), true); }
  void visit(const FieldInfo& info, double& value) override { add(info, real(value), true); }
  void visit(const FieldInfo& info, std::optional<double>& value) override {
    add(info, value ? real(*value) : "", value.has_value());
  }
  void visit(const FieldInfo& info, std::string& value) override { add(info, quoted(value), false); }
  void visit(const FieldInfo& info, std::vector<int>& value) override {
    add(info, fmt::format("[{}]", fmt::join(value, ", ")), false);
  }
  void visit(const FieldInfo& info, std::vector<double>& value) override {
    std::vector<std::string> all;
    for (const double number : value) all.push_back(real(number));
    add(info, fmt::format("[{}]", fmt::join(all, ", ")), false);
  }
  void visit(const FieldInfo& info, std::vector<std::string>& value) override {
    std::vector<std::string> all;
    for (const std::string& text : value) all.push_back(quoted(text));
    add(info, fmt::format("[{}]", fmt::join(all, ", ")), false);
  }
  void visit_enum(const FieldInfo& info, int& value, EnumNames names) override {
    add(info, quoted(names[static_cast<std::size_t>(value)]), false, fmt::format("{}", fmt::join(names, ", ")));
  }
  void enter(const FieldInfo& info) override {
    prefix_ += std::string(info.name) + ".";
    tables_.push_back(info);
  }
  void leave() override {
    prefix_.erase(prefix_.size() < 2 ? 0 : prefix_.rfind('.', prefix_.size() - 2) + 1);
    tables_.pop_back();
  }

  std::vector<FieldText> fields;

 private:
  // The shortest decimal that reads back to the same bits, always recognizable as a TOML float.
  template <class T>
  static std::string real(T value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
    std::string text(buffer, end.ptr);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
  }

  static std::string quoted(std::string_view text) {
    if (!is_utf8(text)) throw UsageError(fmt::format("\"{}\" is not UTF-8; expected text that is", text));
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      if (c == '\n')
        out += "\\n";
      else if (c == '\t')
        out += "\\t";
      else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        out += fmt::format("\\u{:04x}", static_cast<int>(c));
      else
        out += c;
    }
    return out + "\"";
  }

  void add(const FieldInfo& info, std::string value, bool is_number, std::string range = "") {
    if (range.empty()) range = range_text(info);
    bool affects = info.affects_results, changeable = info.changeable;
    for (const FieldInfo& table : tables_) {
      affects = affects && table.affects_results;
      changeable = changeable || table.changeable;
    }
    fields.push_back({prefix_ + std::string(info.name), std::move(value), std::move(range), std::string(info.doc),
                      std::string(info.source), is_number, affects, changeable,
                      info.former.empty() ? "" : prefix_ + std::string(info.former), info.former_values});
  }

  std::string prefix_;
  std::vector<FieldInfo> tables_;
};

}  // namespace

std::vector<FieldText> describe_fields(const std::function<void(ConfigVisitor&)>& visit) {
  FieldLister lister;
  visit(lister);
  return lister.fields;
}

std::string to_toml(const std::function<void(ConfigVisitor&)>& visit,
                    const std::function<bool(const FieldText&)>& written) {
  // TOML wants a table's own keys before its sub-tables: group by table, in the order of first appearance.
  std::vector<std::string> order;
  std::map<std::string, std::string> tables;
  for (const FieldText& f : describe_fields(visit)) {
    const std::size_t dot = f.path.rfind('.');
    const std::string table = dot == std::string::npos ? "" : f.path.substr(0, dot);
    if (f.value.empty() || !written(f)) continue;
    if (!tables.contains(table)) order.push_back(table);
    tables[table] += fmt::format("{} = {}\n", dot == std::string::npos ? f.path : f.path.substr(dot + 1), f.value);
  }
  std::stable_partition(order.begin(), order.end(), [](const std::string& table) { return table.empty(); });
  std::string text;
  for (const std::string& table : order) {
    if (!table.empty()) text += fmt::format("\n[{}]\n", table);
    text += tables[table];
  }
  return text;
}

}  // namespace goalpost
