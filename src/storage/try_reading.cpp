// Fork, pipe and wait: the forked process reports how reading a file went.
#include "storage/try_reading.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

namespace goalpost {

void try_reading(const std::filesystem::path& path, const std::function<void()>& read,
                 const std::function<bool()>& stop) {
  static bool is_copy = false;  // in which no further fork is needed
  if (is_copy) return;
  int ends[2] = {-1, -1};
  const bool connected = ::pipe(ends) == 0;
  const pid_t child = connected ? ::fork() : -1;
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    is_copy = true;
    int error = 0;  // of the system
    std::string message;
    try {
      read();
    } catch (const std::system_error& e) {
      message = e.what();
      error = e.code().value();
      if (const std::string end = ": " + e.code().message(); message.ends_with(end))
        message.resize(message.size() - end.size());
    } catch (const std::runtime_error& e) {
      message = e.what();
    } catch (const std::exception& e) {
      message = fmt::format("{} cannot be read: {}", path.string(), e.what());
    }
    message.insert(0, reinterpret_cast<const char*>(&error), sizeof error);
    // If writing fails, only the parent lacks the message.
    static_cast<void>(!::write(ends[1], message.data(), std::min<std::size_t>(message.size(), 4096)));
    ::_exit(0);
  }
  const int why = errno;
  std::string message;
  int status = 0;
  bool stopped = false;
  if (connected) ::close(ends[1]);
  if (child > 0) {
    char buffer[4096];
    for (ssize_t n = 1; n != 0 && !stopped;) {
      constexpr int kMilliseconds = 100;
      pollfd ready = {.fd = ends[0], .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, kMilliseconds) <= 0) {
        stopped = stop();
        continue;
      }
      n = ::read(ends[0], buffer, sizeof buffer);
      if (n > 0) message.append(buffer, static_cast<std::size_t>(n));
      if (n < 0 && errno != EINTR) break;
    }
    if (stopped) ::kill(child, SIGKILL);
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (connected) ::close(ends[0]);
  if (stopped) return;
  if (child < 0)
    throw std::system_error(why, std::generic_category(),
                            fmt::format("cannot read {}: no process for it", path.string()));
  if (status != 0)
    throw std::runtime_error(fmt::format(
        "{} is damaged in a way that HDF5 does not survive: reading it ended with {} {}", path.string(),
        WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
  int error = 0;
  std::memcpy(&error, message.data(), std::min(message.size(), sizeof error));
  message.erase(0, sizeof error);
  if (error != 0) throw std::system_error(error, std::generic_category(), message);
  if (!message.empty()) throw std::runtime_error(message);
}

}  // namespace goalpost
