// Tables of numbers as comma-separated values: one header line, one line per row, no quotes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/file.h"

namespace goalpost {

/// The shortest text from which the same double is read back; whole numbers without point or exponent; "nan", "inf".
std::string shortest(double value);

/// Appends rows to a CSV file. Every row is one write, so after a kill the file holds whole rows.
class CsvLog {
 public:
  struct Column {
    std::string_view name;
    double value;
  };

  /// Continues the file if it exists; a last line without line end (of a killed run) is removed.
  /// @throws std::runtime_error with path and reason if it cannot be opened or read
  explicit CsvLog(std::filesystem::path path);

  /// Appends a row. The first row also gives the header. A column that is missing leaves its cell empty; a new one
  /// goes to the end, and the file is replaced by one with empty cells in the earlier lines.
  /// @throws std::runtime_error with path and reason, e.g. a full disk; the earlier rows stay
  /// @throws std::invalid_argument for a name that is empty, given twice, or holds a comma, quote or line end
  void append(std::span<const Column> row);
  /// Returns when all rows are on the disk. @throws std::runtime_error with path and reason
  void sync() { file_.sync(); }

 private:
  std::size_t position(std::string_view name);
  std::string header() const;
  void widen(std::size_t old_width);

  OutputFile file_;
  std::vector<std::string> names_;
};

/// A CSV file of numbers, by column. Empty cells are NaN.
struct CsvTable {
  std::filesystem::path path;
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;

  std::size_t rows() const { return columns.empty() ? 0 : columns.front().size(); }
  bool has(std::string_view name) const;
  /// @throws std::runtime_error naming the file, with the nearest name, if there is no such column
  const std::vector<double>& column(std::string_view name) const;
};

/// Reads what CsvLog writes, with lines that end in LF or CR LF. A last line without line end is incomplete and is left
/// out. An empty file is an empty table. Limitation: no quoted cells.
/// @throws std::runtime_error with file, line and column for a cell that is not a number, a line of another width or a
/// name that two columns have
/// @throws UsageError for a pipe or a device
CsvTable read_csv(const std::filesystem::path& path);

/// Reads a table of other programs: lines may end in CR LF, the last one may lack its line end, blank lines may follow
/// it, the file may begin with a byte order mark, and cells may have blanks and quotes around them. Row i is in line i
/// + 2.
/// @throws std::runtime_error as read_csv, and for a blank line before the last row
CsvTable read_user_csv(const std::filesystem::path& path);

/// Removes the rows whose number in this column is greater than `last`: a resumed run writes them again. Does
/// nothing if the file does not exist. @throws std::runtime_error as read_csv and for a failed write
void cut_csv(const std::filesystem::path& path, std::string_view column, double last);

}  // namespace goalpost
