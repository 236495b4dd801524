// Standard output as a whole: flushed, or dropped once it cannot be written.
#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <system_error>

#include "core/text.h"

namespace goalpost {

std::size_t output_width() { return text_width(STDOUT_FILENO); }

void print_line(std::string_view line) {
  const std::string text = wrapped(as_typed(std::string(line)), output_width(), 2) + "\n";
  std::fputs(text.c_str(), stdout);
}

void flush_output() {
  const bool failed_before = std::ferror(stdout) != 0;
  std::cout.flush();
  errno = 0;
  if (std::fflush(stdout) == 0 && !failed_before && std::cout.good()) return;
  if (errno == 0 && ::write(STDOUT_FILENO, "\n", 1) == 1) errno = EIO;  // the reason of an earlier failure, if it lasts
  throw std::system_error(errno, std::generic_category(), "standard output cannot be written");
}

void drop_output() {
  std::clearerr(stdout);
  std::cout.clear();
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
  if (nowhere > STDERR_FILENO) ::close(nowhere);
}

}  // namespace goalpost
