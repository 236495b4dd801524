// Widths of columns.
#include "report/text_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace goalpost {
namespace {

std::string without_blanks_at_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// The first `left` cells of a row on a line, the others below.
std::string stacked_table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                          const std::vector<std::size_t>& widths) {
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string names, numbers;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= left)
        numbers += fmt::format("  {:>{}}", row[i], widths[i]);
      else if (!row[i].empty())
        names += (names.empty() ? "" : "  ") + row[i];
    }
    text += names + "\n" + without_blanks_at_end(numbers) + "\n";
  }
  return text;
}

}  // namespace

std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left, std::size_t width,
                       std::size_t longest) {
  std::vector<std::size_t> widths(rows.empty() ? 0 : rows.front().size());
  for (const std::vector<std::string>& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      if (i >= left || row[i].size() <= longest) widths[i] = std::max(widths[i], row[i].size());
  std::size_t whole = 0;
  for (const std::size_t w : widths) whole += w + (whole > 0 ? 2 : 0);
  if (width > 0 && whole > width) return stacked_table(rows, left, widths);
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line;
    std::size_t begin = 0;  // of the column
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i < left ? row[i] : fmt::format("{:>{}}", row[i], widths[i]);
      if (row[i].size() > widths[i]) {
        text += line + "\n";
        line.clear();
      }
      begin += widths[i] + 2;
      if (i + 1 < row.size() && line.size() < begin) line.append(begin - line.size(), ' ');
    }
    text += without_blanks_at_end(line) + "\n";
  }
  return text;
}

}  // namespace goalpost
