#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace goalpost::detail {

void throw_invalid_argument(const std::string& message) { throw std::invalid_argument(message); }

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

std::string shape(Eigen::Index rows, Eigen::Index cols) { return concatenate(rows, "x", cols); }

}  // namespace goalpost::detail
