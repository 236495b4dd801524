// Reads Python's pickles as data. Nothing that a pickle names is imported or called: what would be an object is kept as
// the name of its class or function with the arguments, state and items that the pickle gives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace goalpost {

struct Pickle {
  enum class Kind { none, boolean, integer, real, text, bytes, list, tuple, dict, name, object, persistent };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  ///< also of booleans
  double real = 0;
  std::string text;                                            ///< of texts, bytes and names, "module.name"
  const Pickle* callee = nullptr;                              ///< object: the class or function; persistent: its id
  const Pickle* arguments = nullptr;                           ///< object: a tuple
  const Pickle* state = nullptr;                               ///< object: what __setstate__ would get; null: nothing
  std::vector<const Pickle*> items;                            ///< of lists, tuples and sets
  std::vector<std::pair<const Pickle*, const Pickle*>> pairs;  ///< of dicts, and of objects that are filled like one
  std::vector<const Pickle*> appended;                         ///< to an object

  bool is_object_of(std::string_view name) const { return kind == Kind::object && callee->text == name; }
  /// Of an object. @pre kind == Kind::object
  const std::vector<const Pickle*>& args() const { return arguments->items; }
  /// The value of a text key in pairs; null if there is none.
  const Pickle* find(std::string_view key) const;
};

/// A pickle's values, which belong to it.
class PickleDocument {
 public:
  /// Reads one pickle, of protocol 0 to 5, at the beginning of the bytes.
  /// @param name for messages @throws std::runtime_error with name, offset and reason
  PickleDocument(std::string_view bytes, const std::string& name);
  const Pickle& root() const { return *root_; }
  const std::deque<Pickle>& values() const { return values_; }  ///< all of them, in the order of their making
  std::size_t size() const { return size_; }                    ///< bytes that the pickle takes

 private:
  friend class PickleReader;
  std::deque<Pickle> values_;
  const Pickle* root_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace goalpost
