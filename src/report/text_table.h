// Tables as text, for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace goalpost {

/// Rows of cells, the first of which is the heading. Columns are as wide as their widest cell, with two spaces between
/// them; the first `left` begin at their left edge, the others end at their right one. A cell of these first columns
/// that is longer than `longest` does not widen its column: what follows stands on the next line.
/// @param width columns of the terminal, 0: any. In a table that is wider, the first `left` cells of a row stand on
/// lines of their own, the others indented below.
std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left, std::size_t width = 0,
                       std::size_t longest = 32);

}  // namespace goalpost
