// Widths of columns.
#include "report/text_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace goalpost {

std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left, std::size_t longest) {
  std::vector<std::size_t> widths(rows.empty() ? 0 : rows.front().size());
  for (const std::vector<std::string>& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      if (i >= left || row[i].size() <= longest) widths[i] = std::max(widths[i], row[i].size());
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
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace goalpost
