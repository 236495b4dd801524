#include "cli/help.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/output.h"
#include "core/text.h"

namespace goalpost {
namespace {

std::size_t help_width() { return static_cast<std::size_t>(std::max(terminal_width(STDOUT_FILENO), 40)); }

// A name and what it is, in two columns. A long name has a line of its own.
std::string entry(const std::string& name, const std::string& description) {
  constexpr std::size_t kColumn = 26;
  std::string left = "  " + name;
  if (left.size() + 1 > kColumn) left += "\n";
  const std::size_t begin = left.back() == '\n' ? left.size() : 0;
  left.append(kColumn - std::min(left.size() - begin, kColumn), ' ');
  return left.substr(0, begin) + wrapped(left.substr(begin) + as_typed(description), help_width(), kColumn) + "\n";
}

}  // namespace

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  return entry(make_option_name(option, is_positional) + make_option_opts(option), make_option_desc(option));
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";  // a flag
  std::string text = " " + option->get_type_name();
  if (const std::string value = option->get_default_str(); !value.empty() && value != "[]") text += "=" + value;
  if (option->get_required() && !option->get_positional()) text += " REQUIRED";
  return text;
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), command->get_description());
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  const std::string text = app->get_description();
  return text.empty() ? "" : wrapped(text, help_width(), 0) + "\n";
}

}  // namespace goalpost
