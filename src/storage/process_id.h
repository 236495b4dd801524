// Which process holds something, on any machine that shares the files.
#pragma once

#include <iosfwd>
#include <string>

namespace goalpost {

/// Numbers of processes are given again, and each container has its own.
struct ProcessId {
  std::string host, process;
  std::string start;  ///< of the machine and of the process
  std::string space;  ///< the numbers' namespace; empty in what earlier versions wrote

  bool operator==(const ProcessId&) const = default;
  static ProcessId self();
  /// Four words, as text() gives them.
  static ProcessId read(std::istream& in);
  std::string text() const;

  /// Whether this process could tell if that one has ended: it is of the same host and namespace.
  bool is_near() const;
  /// Known to have ended. Of another host that is never known.
  bool has_ended() const;
};

}  // namespace goalpost
