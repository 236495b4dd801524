// State visitors that keep what they see in memory: snapshot, restore and hash of any object with visit_state.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/state.h"

namespace goalpost::test {

struct StateEntry {
  std::string name;  ///< with the names of the scopes around it, e.g. "q/W0"
  std::vector<unsigned char> bytes;
  bool operator==(const StateEntry&) const = default;
};
using Snapshot = std::vector<StateEntry>;

/// Turns every visit into visits of blocks of bytes.
class ByteVisitor : public StateVisitor {
 public:
  void visit(std::string_view name, MatrixRef values) final {
    begin(name, static_cast<std::size_t>(values.size()) * sizeof(Scalar));
    for (Index j = 0; j < values.cols(); ++j)
      if (values.rows() > 0) block(&values(0, j), static_cast<std::size_t>(values.rows()) * sizeof(Scalar));
  }
  void visit(std::string_view name, std::span<double> values) final {
    begin(name, values.size_bytes());
    block(values.data(), values.size_bytes());
  }
  void visit(std::string_view name, std::span<std::uint64_t> values) final {
    begin(name, values.size_bytes());
    block(values.data(), values.size_bytes());
  }

 protected:
  std::string path(std::string_view name) const {
    std::string text;
    for (const std::string& scope : scopes_) text += scope + "/";
    return text + std::string(name);
  }
  virtual void begin(std::string_view name, std::size_t bytes) = 0;
  virtual void block(void* data, std::size_t bytes) = 0;

 private:
  void enter(std::string_view name) final { scopes_.emplace_back(name); }
  void leave() final { scopes_.pop_back(); }
  std::vector<std::string> scopes_;
};

class SnapshotVisitor final : public ByteVisitor {
 public:
  Snapshot entries;

 private:
  void begin(std::string_view name, std::size_t) override { entries.push_back({path(name), {}}); }
  void block(void* data, std::size_t bytes) override {
    const auto* first = static_cast<const unsigned char*>(data);
    entries.back().bytes.insert(entries.back().bytes.end(), first, first + bytes);
  }
};

class RestoreVisitor final : public ByteVisitor {
 public:
  explicit RestoreVisitor(const Snapshot& entries) : entries_(entries) {}

 private:
  void begin(std::string_view name, std::size_t bytes) override {
    if (next_ == entries_.size() || entries_[next_].name != path(name) || entries_[next_].bytes.size() != bytes)
      throw std::runtime_error("restore: \"" + path(name) + "\" of " + std::to_string(bytes) +
                               " bytes is not what was saved at this place");
    offset_ = 0;
    ++next_;
  }
  void block(void* data, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(data, entries_[next_ - 1].bytes.data() + offset_, bytes);
    offset_ += bytes;
  }
  const Snapshot& entries_;
  std::size_t next_ = 0, offset_ = 0;
};

template <class T>
Snapshot snapshot(T& object) {
  SnapshotVisitor v;
  object.visit_state(v);
  return std::move(v.entries);
}

template <class T>
void restore(T& object, const Snapshot& state) {
  RestoreVisitor v(state);
  object.visit_state(v);
}

/// Overwrites one matrix of the state, under its full name.
template <class T>
void set_state(T& object, const std::string& name, const Matrix& value) {
  Snapshot state = snapshot(object);
  for (StateEntry& e : state) {
    if (e.name != name) continue;
    if (e.bytes.size() != static_cast<std::size_t>(value.size()) * sizeof(Scalar))
      throw std::runtime_error("set_state: \"" + name + "\" has another size");
    std::memcpy(e.bytes.data(), value.data(), e.bytes.size());
    return restore(object, state);
  }
  throw std::runtime_error("set_state: there is no \"" + name + "\"");
}

/// One matrix of the state, as a column of its numbers in storage order.
template <class T>
Vector get_state(T& object, const std::string& name) {
  for (const StateEntry& e : snapshot(object)) {
    if (e.name != name) continue;
    Vector values(static_cast<Index>(e.bytes.size() / sizeof(Scalar)));
    std::memcpy(values.data(), e.bytes.data(), e.bytes.size());
    return values;
  }
  throw std::runtime_error("get_state: there is no \"" + name + "\"");
}

/// FNV-1a over names and bytes.
inline std::uint64_t hash(const Snapshot& state) {
  std::uint64_t h = 0xcbf29ce484222325u;
  const auto add = [&](unsigned char byte) { h = (h ^ byte) * 0x100000001b3u; };
  for (const StateEntry& e : state) {
    for (const char c : e.name) add(static_cast<unsigned char>(c));
    for (const unsigned char byte : e.bytes) add(byte);
  }
  return h;
}

template <class T>
std::uint64_t state_hash(T& object) {
  return hash(snapshot(object));
}

}  // namespace goalpost::test
