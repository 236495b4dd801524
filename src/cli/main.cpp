// goalpost: the command line. Parses, calls, and turns exceptions into sentences and exit statuses:
// 0 success, 1 something asked for did not hold or could not be written, 2 a usage or configuration error, interrupted:
// 130 by Ctrl-C (SIGINT), 75 by SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 or SIGXCPU, where the same command with --resume goes
// on. Commands that take no notice of them (list, describe, report, dataset, benchmark) are ended by these signals.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/memory.h"
#include "core/text.h"

namespace goalpost {
namespace {

int out_of_memory() {
  const MemoryLimit left = memory_left();
  fmt::print(stderr, "goalpost: not enough memory for what was asked: {} are left ({})\n", format_bytes(left.bytes),
             left.source);
  return 1;
}

// A file that is opened later must not become standard input, output or error. A closed one stays one that cannot be
// read, or written, so that what is written to it is an error.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    while (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF)
      if (::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) std::_Exit(1);
}

}  // namespace
}  // namespace goalpost

int main(int argc, char** argv) {
  using namespace goalpost;
  open_standard_descriptors();
  prepare_signals();
  const auto say = [](const char* sentence, int status) {
    print_error(fmt::format("goalpost: {}", sentence));
    return status;
  };
  int status = 0;
  try {
    status = run_cli(argc, argv);
  } catch (const UsageError& e) {
    status = say(e.what(), 2);
  } catch (const std::bad_alloc&) {
    status = out_of_memory();
  } catch (const std::length_error&) {  // more than a vector can hold
    status = out_of_memory();
  } catch (const std::exception& e) {
    status = 1;
    if (std::ferror(stdout) == 0) say(e.what(), 1);  // otherwise that was it, and flush_output() says why
  }
  try {
    flush_output();
  } catch (const std::system_error& e) {
    say(e.what(), 1);
    drop_output();
    if (status == 0) status = 1;
  }
  return status;
}
