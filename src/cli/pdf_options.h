// The options of the commands that draw figures as PDF.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "report/plot.h"

namespace goalpost {

/// --pdf, --width and --font as they are on the command line.
struct PdfOptions {
  bool pdf = false;
  std::string width, font;

  /// Returns the flag --pdf.
  CLI::Option* add_to(CLI::App& command);
  /// None without --pdf. @throws UsageError for a width or font that is none, or if gnuplot cannot draw PDF
  std::optional<PdfFormat> format() const;
};

/// "3.25in", "8 cm" or "80mm" in inches, "serif,8" as name and points.
/// @throws UsageError
PdfFormat pdf_format(const std::string& width, const std::string& font);

}  // namespace goalpost
