// Pairing the methods that are compared.
#include "report/comparison.h"

#include <algorithm>
#include <utility>

namespace goalpost {

std::vector<Comparison> comparisons(const EnvGroup& env_group) {
  std::vector<Comparison> result, changes;
  std::vector<const MethodRuns*> methods;  // one of each
  for (const MethodRuns& m : env_group.method_runs)
    if (std::none_of(methods.begin(), methods.end(),
                     [&](const MethodRuns* other) { return other->method == m.method; }))
      methods.push_back(&m);
  const auto find = [&](const std::string& method, const std::string& task) -> const MethodRuns* {
    for (const MethodRuns& m : env_group.method_runs)
      if (m.method == method && m.task == task && m.finished() && m.seeds() > 1) return &m;
    return nullptr;
  };
  for (std::size_t i = 0; i < methods.size(); ++i) {
    for (std::size_t j = i + 1; j < methods.size(); ++j) {
      // Two experiments, or an experiment and a change of it.
      const MethodRuns *x = methods[i], *y = methods[j];
      if (x->changed && y->changed) continue;
      if ((x->changed || y->changed) && x->summary->experiment != y->summary->experiment) continue;
      if (y->changed) std::swap(x, y);
      Strata a, b;
      for (const std::string& task : env_group.tasks) {
        const MethodRuns *of_x = find(x->method, task), *of_y = find(y->method, task);
        if (of_x == nullptr || of_y == nullptr) continue;
        a.push_back(of_x->values());
        b.push_back(of_y->values());
      }
      if (a.empty()) continue;
      Comparison c{x->label,
                   y->label,
                   a.size(),
                   0,
                   0,
                   probability_of_improvement(a, b),
                   probability_of_improvement_interval(a, b)};
      for (const std::vector<double>& runs : a) c.runs_x += runs.size();
      for (const std::vector<double>& runs : b) c.runs_y += runs.size();
      (x->changed || y->changed ? changes : result).push_back(c);
    }
  }
  result.insert(result.end(), changes.begin(), changes.end());
  return result;
}

}  // namespace goalpost
