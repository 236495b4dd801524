// Reading the width and font of figures.
#include "cli/pdf_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/text.h"

namespace goalpost {
namespace {

// A number, and what follows it without blanks before.
std::optional<std::pair<double, std::string_view>> number_and_rest(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  std::string_view rest(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return std::pair(value, rest);
}

}  // namespace

PdfFormat pdf_format(const std::string& width, const std::string& font) {
  PdfFormat format;
  if (!width.empty()) {
    const auto length = number_and_rest(width);
    const std::string_view unit = length ? length->second : "";
    const double inches = unit == "in" ? 1 : unit == "cm" ? 1 / 2.54 : unit == "mm" ? 1 / 25.4 : 0;
    format.width = length ? length->first * inches : 0;
    if (!(format.width >= 0.5 && format.width <= 100))
      throw UsageError(
          fmt::format("--width {}; expected a length from 0.5in to 100in, e.g. 3.25in, 8cm or 80mm", width));
  }
  if (!font.empty()) {
    const std::size_t comma = font.rfind(',');
    if (const std::string name = font.substr(0, comma); !name.empty()) format.font = name;
    if (comma != font.npos) {
      const auto size = number_and_rest(std::string_view(font).substr(comma + 1));
      if (!size || !size->second.empty() || !(size->first >= 3 && size->first <= 100))
        throw UsageError(fmt::format("--font {}; expected NAME,SIZE with 3 to 100 points, e.g. serif,8", font));
      format.size = size->first;
    }
  }
  return format;
}

CLI::Option* PdfOptions::add_to(CLI::App& command) {
  CLI::Option* flag = command.add_flag("--pdf", pdf, "also draw every figure as PDF, for papers");
  command.add_option("--width", width, "of the PDF figures, e.g. 3.25in or 8cm; default: as on the screen")
      ->needs(flag);
  command.add_option("--font", font, "of the PDF figures: NAME,SIZE in points, e.g. serif,8; default: sans,9")
      ->needs(flag);
  return flag;
}

std::optional<PdfFormat> PdfOptions::format() const {
  if (!pdf) return std::nullopt;
  const PdfFormat format = pdf_format(width, font);
  expect_pdf_terminal();
  if (const std::string other = replacement_of_font(format.font); !other.empty())
    print_error(fmt::format("goalpost: --font {}: the font \"{}\" is not installed; figures have \"{}\"", font,
                            format.font, other));
  return format;
}

}  // namespace goalpost
