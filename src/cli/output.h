// Standard output as a whole: its width; what was printed reaches it, or is forgotten.
#pragma once

#include <cstddef>
#include <string_view>

namespace goalpost {

/// Into how many columns lines are to be broken: those of the terminal; 0, not at all, if programs read the output.
std::size_t output_width();

/// Prints a line on standard output, as_typed, wrapped on a terminal.
void print_line(std::string_view line);

/// What was printed reaches standard output here. @throws std::system_error if it cannot be written
void flush_output();
/// Forgets what could not be written, so that it is not told of again.
void drop_output();

}  // namespace goalpost
