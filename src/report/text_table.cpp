// Widths of columns.
#include "report/text_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace goalpost {
namespace {

std::string without_blanks_at_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// A variant, whose settings are separated by commas, with a blank after each.
std::string breakable(const std::string& variant) {
  std::string text;
  for (const char c : variant) {
    text += c;
    if (c == ',') text += ' ';
  }
  return text;
}

// The first `left` cells of a row on a line, or if it is too long on a line each, the others below.
std::string stacked_table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                          const std::vector<std::size_t>& widths, std::size_t width) {
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string numbers;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= left)
        numbers += fmt::format("  {:>{}}", row[i], widths[i]);
      else if (!row[i].empty())
        names.push_back(row[i]);
    }
    if (const std::string all = fmt::format("{}", fmt::join(names, "  ")); all.size() <= width) names = {all};
    for (const std::string& name : names)
      text += wrapped(name.size() > width ? breakable(name) : name, width, 4) + "\n";
    text += without_blanks_at_end(numbers) + "\n";
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
  for (const std::vector<std::string>& row : rows) {
    std::size_t names = 0;
    for (std::size_t i = 0; i < std::min(left, row.size()); ++i) names += row[i].size() + 2;
    whole = std::max(whole, names);
  }
  if (width > 0 && whole > width) return stacked_table(rows, left, widths, width);
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
