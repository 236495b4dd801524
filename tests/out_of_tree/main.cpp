// goalpost's command line with an environment and an algorithm more.
#include "algos/registry.h"
#include "cli/cli.h"
#include "envs/registry.h"
#include "lift.h"
#include "tqc.h"

int main(int argc, char** argv) {
  goalpost::add_environment<lift::LiftConfig>("Lift-v0", "a lift that is to stop at a floor; goal-conditioned",
                                              lift::make_lift);
  goalpost::add_algorithm<lift::Tqc, lift::TqcConfig>("tqc", goalpost::ActionSpace::Kind::continuous,
                                                      "truncated quantile critics (Kuznetsov et al. 2020)");
  return goalpost::run_cli(argc, argv);
}
