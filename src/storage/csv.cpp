#include "storage/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/check.h"
#include "core/suggest.h"

namespace goalpost {
namespace {

// The lines that end in a line end, LF or CR LF, without it.
std::vector<std::string_view> whole_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
    lines.push_back(text.substr(0, end > 0 && text[end - 1] == '\r' ? end - 1 : end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string_view> cells(std::string_view line) {
  std::vector<std::string_view> result;
  for (std::size_t comma = line.find(','); comma != line.npos; comma = line.find(',')) {
    result.push_back(line.substr(0, comma));
    line.remove_prefix(comma + 1);
  }
  result.push_back(line);
  return result;
}

// The number of a cell; nothing if it is none. One that is too small for a double is 0, or the nearest that there is.
std::optional<double> number_in(std::string_view cell) {
  double value = 0;
  const bool plus = cell.size() > 1 && cell[0] == '+' && cell[1] != '-';
  const char* const end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data() + plus, end, value);
  if (stop != end || error == std::errc::invalid_argument) return {};
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(cell).c_str(), nullptr);
  if (error != std::errc() && std::isinf(value)) return {};
  return value;
}

CsvTable parse(const std::filesystem::path& path, std::span<const std::string_view> lines) {
  CsvTable table{path, {}, {}};
  if (lines.empty()) return table;
  for (const std::string_view name : cells(lines[0])) {
    if (!name.empty() && table.has(name))
      throw std::runtime_error(
          fmt::format("{}:1: two columns are called \"{}\"; expected different names", path.string(), name));
    table.names.emplace_back(name);
  }
  table.columns.resize(table.names.size());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string_view> row = cells(lines[i]);
    if (row.size() != table.names.size())
      throw std::runtime_error(fmt::format("{}:{}: the line has {} cells; expected {}, as the header", path.string(),
                                           i + 1, row.size(), table.names.size()));
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::optional<double> value = row[j].empty() ? std::numeric_limits<double>::quiet_NaN() : number_in(row[j]);
      if (!value)
        throw std::runtime_error(fmt::format("{}:{}: {} = \"{}\"; expected a number or nothing", path.string(), i + 1,
                                             table.names[j], row[j]));
      table.columns[j].push_back(*value);
    }
  }
  return table;
}

}  // namespace

std::string shortest(double value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 32> text;
  const bool whole = std::abs(value) < 0x1p53 && value == std::trunc(value) && !(value == 0 && std::signbit(value));
  const auto [end, error] = whole ? std::to_chars(text.begin(), text.end(), static_cast<std::int64_t>(value))
                                  : std::to_chars(text.begin(), text.end(), value);
  static_cast<void>(error);  // the longest double has 24 characters
  return std::string(text.begin(), end);
}

CsvLog::CsvLog(std::filesystem::path path) : file_(path, OutputFile::Mode::append) {
  if (file_.size() == 0) return;
  const std::string text = read_file(path);
  const std::size_t whole = text.rfind('\n') + 1;  // 0 if there is no line end: npos + 1
  if (whole < text.size()) {
    std::filesystem::resize_file(path, whole);
    file_ = OutputFile(path, OutputFile::Mode::append);
  }
  if (whole > 0)
    for (const std::string_view name : cells(whole_lines(text).front())) names_.emplace_back(name);
}

void CsvLog::append(std::span<const Column> row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string_view name = row[i].name;
    GP_CHECK(!name.empty() && name.find_first_of(",\"\r\n") == name.npos, "CsvLog::append: name = \"", name,
             "\"; expected a name without comma, quote and line end");
    for (std::size_t j = 0; j < i; ++j)
      GP_CHECK(row[j].name != name, "CsvLog::append: column \"", name, "\" is given twice");
  }

  const std::size_t old_width = names_.size();
  std::vector<std::string> values(old_width);
  for (const Column& column : row) {
    const std::size_t i = position(column.name);
    if (i >= values.size()) values.resize(i + 1);
    values[i] = shortest(column.value);
  }
  const std::string line = fmt::format("{}\n", fmt::join(values, ","));
  try {
    if (file_.size() == 0) {
      file_.write(header() + line);
      return;
    }
    if (names_.size() > old_width) widen(old_width);
  } catch (...) {
    names_.resize(old_width);
    throw;
  }
  file_.write(line);
}

std::size_t CsvLog::position(std::string_view name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    names_.emplace_back(name);
    return names_.size() - 1;
  }
  return static_cast<std::size_t>(found - names_.begin());
}

std::string CsvLog::header() const { return fmt::format("{}\n", fmt::join(names_, ",")); }

void CsvLog::widen(std::size_t old_width) {
  const std::string text = read_file(file_.path());
  const std::vector<std::string_view> lines = whole_lines(text);
  const std::string empty_cells(names_.size() - old_width, ',');
  std::string wider = header();
  for (std::size_t i = 1; i < lines.size(); ++i) wider += fmt::format("{}{}\n", lines[i], empty_cells);
  write_file_atomically(file_.path(), wider);
  file_ = OutputFile(file_.path(), OutputFile::Mode::append);
}

bool CsvTable::has(std::string_view name) const { return std::find(names.begin(), names.end(), name) != names.end(); }

const std::vector<double>& CsvTable::column(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    throw std::runtime_error(
        fmt::format("{}: no column is called \"{}\"{}", path.string(), name, did_you_mean(name, candidates)));
  }
  return columns[static_cast<std::size_t>(found - names.begin())];
}

CsvTable read_csv(const std::filesystem::path& path) {
  expect_no_stream(path);
  const std::string text = read_file(path);
  return parse(path, whole_lines(text));
}

CsvTable read_user_csv(const std::filesystem::path& path) {
  std::string text = read_file(path);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  text += '\n';
  std::vector<std::string_view> lines = whole_lines(text);
  while (!lines.empty() && without_blanks(lines.back()).empty()) lines.pop_back();
  std::string clean;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (without_blanks(lines[i]).empty())
      throw std::runtime_error(
          fmt::format("{}:{}: the line is blank; expected a {}", path.string(), i + 1, i == 0 ? "header" : "row"));
    std::string separator;
    for (std::string_view cell : cells(lines[i])) {
      cell = without_blanks(cell);
      if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"')
        cell = without_blanks(cell.substr(1, cell.size() - 2));
      clean.append(separator).append(cell);
      separator = ',';
    }
    clean += '\n';
  }
  return parse(path, whole_lines(clean));
}

void cut_csv(const std::filesystem::path& path, std::string_view column, double last) {
  if (!std::filesystem::exists(path)) return;
  expect_no_stream(path);
  const std::string text = read_file(path);
  const std::vector<std::string_view> lines = whole_lines(text);
  if (lines.empty()) return;
  const CsvTable table = parse(path, lines);
  const std::vector<double>& numbers = table.column(column);
  std::string kept = fmt::format("{}\n", lines[0]);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (!(numbers[i] > last)) kept += fmt::format("{}\n", lines[i + 1]);
  write_file_atomically(path, kept);
}

}  // namespace goalpost
