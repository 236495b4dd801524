#include "cli/cli.h"

int main(int argc, char** argv) { return goalpost::run_cli(argc, argv); }
