// Text for people: counts and durations as they are shown, and lines on standard error.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace goalpost {

/// 999, 5.03k, 42.0k, 420k, 1.00M: three digits from 1000 on.
std::string format_count(double count);
/// 1,800,000: a whole number with commas between its thousands.
std::string format_thousands(double count);
/// 01:23 or 1:02:03; "?" for what is not known (negative or not finite).
std::string format_duration(double seconds);

/// A line broken at blanks into lines of at most `width` bytes, if its words, and its commands, "`goalpost train x`",
/// are short enough; all but the first are indented. A width of 0 leaves it as it is.
std::string wrapped(std::string_view line, std::size_t width, std::size_t indent);

/// "goalpost", or what the user typed for it: the launcher says in GOALPOST_COMMAND how it was called.
std::string program_as_typed();
/// The text with commands, "`goalpost train x`", as the user types them.
std::string as_typed(std::string text);

/// One word for a shell, whatever it holds: in single quotes.
std::string shell_quoted(std::string_view text);
/// The same, as it is where it needs no quotes.
std::string as_word(std::string_view text);

/// Columns of the terminal at a descriptor, or as the variable COLUMNS says; 80 where nothing is known.
int terminal_width(int descriptor);
/// How many columns text for a descriptor has: those of its terminal, at least 40; 0, any, where it is none.
std::size_t text_width(int descriptor);

/// What the JSON library says of a text, without its code in brackets.
std::string_view json_problem(std::string_view what);

/// Prints lines on standard error, as_typed, wrapped on a terminal. A failed write is ignored: that nobody reads any
/// more ends no run.
void print_error(std::string_view text);

/// Whether a text is UTF-8 as the standard has it: no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

}  // namespace goalpost
