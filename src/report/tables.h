// Tables of results: of summaries as text, and of what is recorded for the README and the pages beside experiments.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/group.h"

namespace goalpost {

/// The table of summaries as text (text_table).
std::string summary_table(const std::vector<Summary>& summaries, std::size_t width = 0);

/// The table of all recorded experiments, for a page beside them; of changed settings it names the number only.
std::string results_table();
/// The README's table of single settings, each "NAME" or "NAME/VARIANT".
std::string short_table(const std::vector<std::string>& settings);
/// The table of some experiments with all their settings, for a page beside them.
std::string page_table(const std::vector<std::string>& experiments);
/// A text with its tables of results as they are now; they stand between markers.
/// @throws std::runtime_error if a marker of a table's end is missing
std::string with_tables(std::string text);
/// The README and the pages beside the experiments.
std::vector<std::filesystem::path> documents_with_tables();
/// Writes the tables of all documents anew.
void renew_tables();

}  // namespace goalpost
