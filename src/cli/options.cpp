// What the options of several sub-commands share: validators, and checks of words and paths.
#include "cli/options.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "core/check.h"
#include "core/number.h"

namespace goalpost {

CLI::Validator integer(std::int64_t low, std::int64_t high) {
  CLI::Validator validator(
      [low, high](std::string& text) -> std::string {
        const std::optional<std::int64_t> value = exact_integer(text);
        if (!value || *value < low || *value > high)
          return fmt::format("{}; expected an integer {} to {}", text, low, high);
        text = std::to_string(*value);
        return "";
      },
      "");
  return validator;
}

CLI::Validator number(double low, double high) {
  CLI::Validator validator(
      [low, high](std::string& text) -> std::string {
        double value = 0;
        const char *const begin = text.data() + text.starts_with('+'), *const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(begin, end, value);
        if (error == std::errc() && stop == end && value >= low && value <= high) return "";
        return low > std::numeric_limits<double>::lowest()
                   ? fmt::format("{}; expected a number {}", text,
                                 high < std::numeric_limits<double>::max() ? fmt::format("{} to {}", low, high)
                                                                           : fmt::format("of at least {}", low))
                   : fmt::format("{}; expected a finite number", text);
      },
      "");
  return validator;
}

CLI::Option* add_set_option(CLI::App& command, std::vector<std::string>& set, const std::string& what) {
  return command.add_option("--set", set, what + "; once for each")->allow_extra_args(false)->type_name("KEY=VALUE");
}

void expect_no_empty_words(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i], before = argv[i - 1];
    if (word.starts_with("--") && word.find('=') == word.size() - 1)
      throw UsageError(fmt::format("{} is empty; expected a value", word.substr(0, word.size() - 1)));
    if (!word.empty()) continue;
    throw UsageError(before.starts_with("--")
                         ? fmt::format("{} is empty; expected a value", before)
                         : fmt::format("word {} of the command is empty; expected a name, a path or an option", i));
  }
}

void expect_directory(const std::string& out) {
  if (!out.empty() && std::filesystem::exists(out) && !std::filesystem::is_directory(out))
    throw UsageError(fmt::format("--out {}: this is a file; expected a directory, or a new name", out));
}

}  // namespace goalpost
