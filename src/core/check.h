// Errors are sentences: "function: argument = value; expected ...; advice".
#pragma once

#include <Eigen/Core>
#include <sstream>
#include <stdexcept>
#include <string>

namespace goalpost {

/// What the user wrote (a configuration, a name, a path) is wrong. The program prints the sentence and exits with 2.
class UsageError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A computation produced NaN or infinity. The message names the operation and the ranges of its inputs.
class NumericsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {
template <class... Parts>
std::string concatenate(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}
[[noreturn]] void throw_invalid_argument(const std::string& message);
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
std::string shape(Eigen::Index rows, Eigen::Index cols);
}  // namespace detail

/// A mistake of the caller (shape, range, order of calls). The parts after the condition are joined into the message,
/// and are evaluated only when the condition fails. Always on. @throws std::invalid_argument
#define GP_CHECK(condition, ...)                                                                \
  do {                                                                                          \
    if (!(condition)) [[unlikely]]                                                              \
      ::goalpost::detail::throw_invalid_argument(::goalpost::detail::concatenate(__VA_ARGS__)); \
  } while (false)

/// A matrix argument must have the given shape. @throws std::invalid_argument naming function, argument and both shapes
#define GP_CHECK_SHAPE(function, m, r, c)                                    \
  GP_CHECK((m).rows() == (r) && (m).cols() == (c), function, ": " #m " is ", \
           ::goalpost::detail::shape((m).rows(), (m).cols()), "; expected ", ::goalpost::detail::shape((r), (c)))

/// A mistake of this library; aborts. Armed where NDEBUG is not defined, as Eigen's own assertions are: in debug builds
/// and in those of ./goalpost test asan, tsan, clang and fuzz; not in the release build that runs and tests by default.
#ifdef NDEBUG
#define GP_ASSERT(condition) static_cast<void>(0)
#else
#define GP_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::goalpost::detail::assertion_failed(#condition, __FILE__, __LINE__))
#endif

}  // namespace goalpost
