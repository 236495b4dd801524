// Tests send signals to the program. It keeps ignoring the signals that are ignored at its start, as in background jobs
// of a shell.
#include <csignal>

namespace {
[[maybe_unused]] const bool done = [] {
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGPIPE}) std::signal(s, SIG_DFL);
  return true;
}();
}  // namespace
