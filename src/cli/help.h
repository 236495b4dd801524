// How --help looks.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace goalpost {

/// CLI11's, with descriptions broken into the terminal's width, or 80 columns.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_description(const CLI::App* app) const override;
};

}  // namespace goalpost
