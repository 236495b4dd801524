// Tests send signals to the program, which goes on ignoring what it is started to ignore; a shell starts its background
// jobs so.
#include <csignal>

namespace {
[[maybe_unused]] const bool done = [] {
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGPIPE}) std::signal(s, SIG_DFL);
  return true;
}();
}  // namespace
