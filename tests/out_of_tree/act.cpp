// A program that only acts: it links libgoalpost_policy and no simulator.
#include <cstdio>

#include "policy/policy.h"

int main(int, char** argv) {
  using namespace goalpost;
  const Policy policy = Policy::read(argv[1]);
  PolicyMemory memory(policy, 1);
  const Matrix obs = Matrix::Zero(policy.obs_size, 1), goal = Matrix::Zero(policy.goal_size, 1);
  Matrix action(policy.action_size(), 1);
  policy.act(obs, goal, memory, action);
  std::printf("%s for %s:", policy.algorithm.c_str(), policy.environment.c_str());
  for (Index i = 0; i < action.size(); ++i) std::printf(" %g", static_cast<double>(action(i)));
  std::printf("\n");
}
