#include "core/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace goalpost {
namespace {

// As printf does.
template <class... Values>
std::string printed(const char* format, Values... values) {
  std::array<char, 384> text;  // a double has 309 digits at most before its point
  return {text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), format, values...))};
}

}  // namespace

std::string format_count(double count) {
  static constexpr std::array<const char*, 5> kPrefixes = {"", "k", "M", "G", "T"};
  const auto digits = [&] { return count < 9.995 ? 2 : count < 99.95 ? 1 : 0; };
  if (std::abs(count) < 999.5) {
    if (count == std::round(count)) return printed("%.0f", count);
    return printed("%.*f", digits(), count);
  }
  std::size_t i = 0;
  for (; std::abs(count) >= 999.5 && i + 1 < kPrefixes.size(); ++i) count /= 1000;
  return printed("%.*f%s", digits(), count, kPrefixes[i]);
}

std::string format_thousands(double count) {
  const std::string digits = printed("%.0f", count);
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') result += ',';
    result += digits[i];
  }
  return result;
}

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  const int s = static_cast<int>(seconds);
  if (s < 3600) return printed("%02d:%02d", s / 60, s % 60);
  return printed("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

namespace {

// The last blank up to `room`, or the first one after it, that is neither of the indentation nor within a command,
// `...`, which stays in one piece so that it can be copied.
std::size_t place_to_break(std::string_view line, std::size_t room) {
  std::size_t best = line.npos;
  for (std::size_t i = std::min(line.find_first_not_of(' '), line.size()); i < line.size(); ++i) {
    if (line[i] == '`')
      if (const std::size_t end = line.find('`', i + 1); end != line.npos) i = end;
    if (line[i] != ' ') continue;
    if (i > room && best != line.npos) break;
    best = i;
    if (i > room) break;
  }
  return best;
}

}  // namespace

std::string wrapped(std::string_view line, std::size_t width, std::size_t indent) {
  std::string text;
  std::size_t begin = 0;  // of the text's last line
  while (width > 0 && text.size() - begin + line.size() > width) {
    const std::size_t room = width - std::min(text.size() - begin, width);
    const std::size_t blank = place_to_break(line, room);
    if (blank == line.npos) break;
    text += line.substr(0, line.find_last_not_of(' ', blank) + 1);
    text += "\n";
    begin = text.size();
    text.append(indent, ' ');
    line.remove_prefix(std::min(line.find_first_not_of(' ', blank), line.size()));
  }
  return text.append(line);
}

std::string program_as_typed() {
  const char* typed = std::getenv("GOALPOST_COMMAND");
  return typed == nullptr || *typed == '\0' ? "goalpost" : typed;
}

std::string as_typed(std::string text) {
  constexpr std::string_view kName = "`goalpost ";
  std::string name("`");
  name.append(program_as_typed()).append(1, ' ');
  for (std::size_t i = text.find(kName); i != text.npos; i = text.find(kName, i + name.size()))
    text.replace(i, kName.size(), name);
  return text;
}

std::string shell_quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  }
  return result + "'";
}

std::string as_word(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%";
  return !text.empty() && text.find_first_not_of(kPlain) == text.npos ? std::string(text) : shell_quoted(text);
}

std::string_view json_problem(std::string_view what) {
  const std::size_t end = what.starts_with('[') ? what.find("] ") : what.npos;
  return end == what.npos ? what : what.substr(end + 2);
}

int terminal_width(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int width = columns == nullptr ? 0 : std::atoi(columns);
  return width > 0 ? width : 80;
}

std::size_t text_width(int descriptor) {
  return ::isatty(descriptor) == 0 ? 0 : static_cast<std::size_t>(std::max(terminal_width(descriptor), 40));
}

void print_error(std::string_view text) {
  const std::size_t width = text_width(STDERR_FILENO);
  const std::string typed = as_typed(std::string(text));
  std::string shown;
  for (std::size_t begin = 0; begin <= typed.size();) {
    const std::size_t end = std::min(typed.find('\n', begin), typed.size());
    shown += wrapped(std::string_view(typed).substr(begin, end - begin), width, 2) + "\n";
    begin = end + 1;
  }
  std::fputs(shown.c_str(), stderr);
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first < 0x80) continue;
    const int more = first >= 0xc2 && first <= 0xdf   ? 1
                     : (first & 0xf0) == 0xe0         ? 2
                     : first >= 0xf0 && first <= 0xf4 ? 3
                                                      : 0;
    if (more == 0) return false;
    std::uint32_t code = first & (0x3fu >> more);
    for (int k = 0; k < more; ++k, ++i) {
      if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return false;
      code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
    }
    if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || code > 0x10ffff ||
        (code >= 0xd800 && code <= 0xdfff))
      return false;
  }
  return true;
}

}  // namespace goalpost
