// The command line of goalpost as a whole: all sub-commands, and the errors of parsing.
#pragma once

namespace goalpost {

/// Parses the words of the command line and runs the sub-command that they name. Returns its exit status, 0 after
/// --help and --version, or 2 for a command line that cannot be parsed, with a sentence on stderr.
/// @throws whatever the sub-command throws
int run_cli(int argc, char** argv);

}  // namespace goalpost
