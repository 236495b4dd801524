// Configurations are plain structs with default values; a field table next to each struct gives name, member, text,
// range and source. Reading, writing, `goalpost describe` and validation all go through the table.
//
//   struct HerConfig { HerStrategy strategy = HerStrategy::future; int k = 4; };
//   constexpr auto fields(const HerConfig*) {
//     return std::tuple{field("strategy", &HerConfig::strategy, "..."), field("k", &HerConfig::k, "...", 1, 64)};
//   }
//   static_assert(complete<HerConfig>);
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace goalpost {

/// The names of an enumeration's values, in the order of their numbers 0, 1, ... An enumeration used in a configuration
/// has the underlying type int and a function enum_names(E) beside it.
using EnumNames = std::span<const char* const>;
/// The name of one value.
template <class E>
constexpr const char* enum_name(E value) {
  return enum_names(value)[static_cast<std::size_t>(value)];
}

/// A value of an enumeration that had another name in earlier versions.
struct FormerValue {
  std::string_view former, now;
};

/// What a table says about a field, besides where it is.
struct FieldInfo {
  std::string_view name, doc, source;  ///< source: paper and place of the default, or empty
  double low, high;                    ///< inclusive range of a number, or of every number of a list
  bool affects_results = true;   ///< false: a run computes the same bits whatever the value. Of a table: of all in it
  bool changeable = false;       ///< whether an unfinished run may be resumed with another value
  std::string_view former = "";  ///< its name in earlier versions, which is still read; empty: none
  std::span<const FormerValue> former_values = {};  ///< of an enumeration: still read, too
};

template <class S, class T>
struct Field {
  FieldInfo info;
  T S::*member;

  /// The same field, on which results do not depend.
  constexpr Field without_effect() const {
    Field f = *this;
    f.info.affects_results = false;
    return f;
  }
  /// The same field, which a resumed run may change.
  constexpr Field changeable_on_resume() const {
    Field f = *this;
    f.info.changeable = true;
    return f;
  }
  /// The same field, which was called otherwise in earlier versions. storage/former_names.h reads that name.
  constexpr Field formerly(std::string_view name) const {
    Field f = *this;
    f.info.former = name;
    return f;
  }
  /// The same field, whose values had other names in earlier versions. @pre the list outlives the field
  constexpr Field with_former_values(std::span<const FormerValue> values) const {
    Field f = *this;
    f.info.former_values = values;
    return f;
  }
};

template <class S, class T>
constexpr Field<S, T> field(std::string_view name, T S::*member, std::string_view doc, double low, double high,
                            std::string_view source = "") {
  return {.info = {.name = name, .doc = doc, .source = source, .low = low, .high = high}, .member = member};
}
template <class S, class T>
constexpr Field<S, T> field(std::string_view name, T S::*member, std::string_view doc, std::string_view source = "") {
  return field(name, member, doc, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(),
               source);
}

/// A member that is a configuration itself, whose fields stand in the parent's own table: nested in C++, flat in TOML.
template <class S, class T>
struct FlatMember {
  T S::*member;
};
template <class S, class T>
constexpr FlatMember<S, T> flat(T S::*member) {
  return {member};
}

template <class S>
concept Config = requires(const S* s) {
  fields(s);
};

namespace detail {
struct Anything {
  template <class T>
  operator T() const;  // declared only: counts members, is never called
};
template <class S, std::size_t... I>
constexpr bool constructible_from(std::index_sequence<I...>) {
  return requires { S{(static_cast<void>(I), Anything{})...}; };
}
template <class S, std::size_t N = 0>
constexpr std::size_t member_count() {
  if constexpr (constructible_from<S>(std::make_index_sequence<N + 1>{}))
    return member_count<S, N + 1>();
  else
    return N;
}
}  // namespace detail

/// Whether the table of S has as many entries as S has members, so that a new member cannot be forgotten.
template <class S>
inline constexpr bool complete = std::tuple_size_v<decltype(fields(static_cast<const S*>(nullptr)))> ==
                                 detail::member_count<S>();

/// One traversal of a configuration: reading, writing and describing are visitors.
class ConfigVisitor {
 public:
  virtual ~ConfigVisitor() = default;
  virtual void visit(const FieldInfo& info, bool& value) = 0;
  virtual void visit(const FieldInfo& info, int& value) = 0;
  virtual void visit(const FieldInfo& info, std::int64_t& value) = 0;
  virtual void visit(const FieldInfo& info, float& value) = 0;
  virtual void visit(const FieldInfo& info, double& value) = 0;
  virtual void visit(const FieldInfo& info, std::optional<double>& value) = 0;  ///< may be left out
  virtual void visit(const FieldInfo& info, std::string& value) = 0;
  virtual void visit(const FieldInfo& info, std::vector<int>& value) = 0;
  virtual void visit(const FieldInfo& info, std::vector<double>& value) = 0;
  virtual void visit(const FieldInfo& info, std::vector<std::string>& value) = 0;
  virtual void visit_enum(const FieldInfo& info, int& value, EnumNames names) = 0;
  virtual void enter(const FieldInfo& info) = 0;  ///< a table inside the table
  virtual void leave() = 0;
};

/// Visits every field of a configuration in the order of its table.
template <Config S>
void visit_fields(S& config, ConfigVisitor& visitor) {
  const auto visit_one = [&]<class Entry>(const Entry& f) {
    auto& value = config.*(f.member);
    using T = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<Entry, FlatMember<S, T>>) {
      visit_fields(value, visitor);
    } else if constexpr (Config<T>) {
      visitor.enter(f.info);
      visit_fields(value, visitor);
      visitor.leave();
    } else if constexpr (requires { value.visit(visitor); }) {
      value.visit(visitor);  // names what it holds itself, beside the other fields
    } else if constexpr (std::is_enum_v<T>) {
      int number = static_cast<int>(value);
      visitor.visit_enum(f.info, number, enum_names(value));
      value = static_cast<T>(number);
    } else {
      visitor.visit(f.info, value);
    }
  };
  std::apply([&](const auto&... f) { (visit_one(f), ...); }, fields(static_cast<const S*>(nullptr)));
}

/// A configuration whose type only its owner knows: what a registry hands out for a name.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual void visit(ConfigVisitor& visitor) = 0;
  virtual std::unique_ptr<Settings> clone() const = 0;
};

template <Config S>
class SettingsOf final : public Settings {
 public:
  void visit(ConfigVisitor& visitor) override { visit_fields(value, visitor); }
  std::unique_ptr<Settings> clone() const override { return std::make_unique<SettingsOf>(*this); }
  S value;
};

/// The value inside settings made by SettingsOf<S>. @throws std::bad_cast for another type
template <Config S>
const S& settings_as(const Settings& settings) {
  return dynamic_cast<const SettingsOf<S>&>(settings).value;
}

}  // namespace goalpost
