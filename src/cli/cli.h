// The command line of goalpost as a whole. A program of your own registers its environments and algorithms
// (envs/registry.h, algos/registry.h) and calls run_cli: all commands know them.
#pragma once

namespace goalpost {

/// Parses the words of the command line and runs the sub-command that they name; what goes wrong becomes a sentence on
/// stderr. Returns the exit status: 0 success, 1 something asked for did not hold or could not be written, 2 a usage or
/// configuration error; interrupted: 130 by Ctrl-C (SIGINT), 75 by SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 or SIGXCPU, where
/// the same command with --resume goes on. Commands that take no notice of signals (list, describe, report, dataset,
/// benchmark) are ended by them. To be called once, from main.
int run_cli(int argc, char** argv);

}  // namespace goalpost
