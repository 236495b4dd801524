// Figures drawn by gnuplot: the one place that calls it. Each becomes an SVG, whose text and axes take the color of
// the text around it, or of the reader's light or dark scheme where it stands alone, a PNG on white and, for papers, a
// PDF.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

/// A figure. Its commands find data files in the directory that it is drawn in.
struct Plot {
  std::string name = {};      ///< of the files <name>.svg and <name>.png
  std::string title = {};     ///< may be empty
  std::string settings = {};  ///< gnuplot's commands before the drawing
  std::string drawing = {};   ///< the plot command
  int width = 640, height = 420;
  /// Of a plot of rows, which has no labels of its own: those of the rows at y = 0, -1, ..., and the x axis. In a PDF
  /// they are wrapped, and it is as high as they need, whatever its width.
  std::vector<std::string> rows = {};
  std::string x_label = {};
  /// Titles of the entries of a key below, as `title` in the drawing has them; empty: the settings place a key. Those
  /// of curves stand below each other, in a PDF wrapped, and the figure is as high as they need.
  std::vector<std::string> key = {};
};

/// How figures are drawn as PDF, for papers.
struct PdfFormat {
  double width = 0;  ///< inches of every figure; 0: each has its own. The height is in proportion, or what rows need
  std::string font = "sans";
  double size = 9;  ///< of the font, in points
};

/// A text as gnuplot's string; control characters, which a string cannot hold, become blanks.
std::string gnuplot_string(std::string_view text);

/// How the i-th curve differs from the others, also without color: the color is one that is seen on white and on
/// black.
struct CurveStyle {
  const char* color;
  const char* dash;
  int point;
};
CurveStyle curve_style(std::size_t i);
/// "lc rgb '#3a7fc1' dt 1 pt 7"
std::string line_style(std::size_t i);

bool gnuplot_is_installed();
/// The font family that figures get in place of one that is not installed, as fontconfig says. Empty if it is
/// installed, is a generic name (sans, serif, monospace), or there is no fontconfig.
std::string replacement_of_font(const std::string& font);

/// @throws UsageError unless gnuplot is installed and has its terminal pdfcairo
void expect_pdf_terminal();

/// Draws into the directory, with <script>.gp and gnuplot's <script>.log beside the figures. Returns whether all were
/// drawn; of those that have too little room for what they show, stderr has a sentence each.
/// @param pdf if given, every figure is drawn as <name>.pdf, too
/// @throws std::runtime_error if gnuplot cannot be run, or not be waited for
bool draw(std::span<const Plot> plots, const std::filesystem::path& directory, const std::string& script,
          const std::optional<PdfFormat>& pdf = std::nullopt);

}  // namespace goalpost
