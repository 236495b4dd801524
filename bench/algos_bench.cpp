// One update of each algorithm at its paper's sizes, and acting. Agents are made and filled once per process.
#include <functional>
#include <list>
#include <map>
#include <memory>

#include "algos/ddpg.h"
#include "algos/dqn.h"
#include "algos/hiro/config.h"
#include "algos/hiro/hiro.h"
#include "algos/noise.h"
#include "algos/off_policy_agent.h"
#include "algos/sac.h"
#include "algos/td3.h"
#include "autodiff/gemm.h"
#include "bench/support.h"
#include "core/thread_pool.h"
#include "envs/classic/bit_flip.h"
#include "envs/mujoco/ant_maze.h"
#include "envs/vector_env.h"

namespace goalpost::bench {
namespace {

// ---- DQN on bit flipping (Andrychowicz et al. 2017, App. A) -----------------------------------------------------

EnvFactory bit_flip(int bits) {
  return [=] { return make_bit_flip({.bits = bits}); };
}

DqnConfig paper_dqn() {
  return {.gamma = Scalar(0.98),
          .clip_targets = true,
          .tau = Scalar(0.05),
          .target_every = 40,
          .q = {.hidden = {256}},
          .optimizer = OptimizerKind::adam};
}

Network q_network(int bits) { return {"", 2 * bits, 256, 1, bits, kBitFlipBatch}; }

// Target and online network forward, the latter backward.
double update_flops(int bits) { return 2 * q_network(bits).forward_flops() + q_network(bits).backward_flops(); }

// Fills an agent with the experience of random actions.
std::unique_ptr<Agent> filled_agent(int bits, HerStrategy strategy) {
  VectorEnv env(bit_flip(bits), kLanes, Rng(1));
  const OffPolicyConfig config = {.batch_size = static_cast<int>(kBitFlipBatch),
                                  .replay = {.buffer_size = kBitFlipTransitions},
                                  .her = {.strategy = strategy, .k = 4},
                                  .normalizer = {.enabled = true}};
  auto agent =
      make_off_policy_agent(std::make_unique<Dqn>(env.spec(), paper_dqn(), Rng(2)), env.spec(), config, kLanes, Rng(3));
  Matrix action(1, kLanes);
  Rng rng(4);
  for (int i = 0; i < kBitFlipTransitions / kLanes; ++i) {
    random_actions(env.spec().action, rng, action);
    agent->observe(env.step(action));
  }
  return agent;
}

Agent& bit_flip_agent(int bits, HerStrategy strategy) {
  static std::map<std::pair<int, HerStrategy>, std::unique_ptr<Agent>> agents;
  auto& agent = agents[{bits, strategy}];
  if (agent == nullptr) agent = filled_agent(bits, strategy);
  return *agent;
}

struct Bits {
  std::string name;
  int bits, threads = 1;
};

// Sample, normalize, update: what the training loop calls. Items are updates.
template <HerStrategy strategy>
void BM_dqn_agent_update(State& state, const Bits& n) {
  Agent& agent = bit_flip_agent(n.bits, strategy);
  Metrics metrics;
  set_compute_threads(n.threads);
  measure(state, 1, [&] { agent.update(metrics); });
  set_compute_threads(1);
  report_flops(state, update_flops(n.bits));
}

// The learner's part of it. Items are updates.
void BM_dqn_learner_update(State& state, const Bits& n) {
  const EnvSpec spec = bit_flip(n.bits)()->spec();
  Dqn learner(spec, paper_dqn(), Rng(1));
  Batch batch(spec, kBitFlipBatch, Scalar(0.98));
  batch.s = random_matrix(spec.state_dim(), kBitFlipBatch, 1);
  batch.s2 = random_matrix(spec.state_dim(), kBitFlipBatch, 2);
  batch.r.setConstant(-1);
  Rng rng(2);
  epsilon_greedy(1, n.bits, rng, batch.a);
  Metrics metrics;
  set_compute_threads(n.threads);
  measure(state, 1, [&] { learner.update(batch, rng, metrics); });
  set_compute_threads(1);
  report_flops(state, update_flops(n.bits));
}

// ---- acting; items are observations ---------------------------------------------------------------------------------

struct Acting {
  std::string name;
  int bits, observations;
};

void BM_dqn_agent_act(State& state, const Acting& c) {
  Agent& agent = bit_flip_agent(c.bits, HerStrategy::future);
  const VectorEnv env(bit_flip(c.bits), c.observations, Rng(1));
  Matrix action(1, c.observations);
  measure(state, c.observations, [&] { agent.act(env.obs(), env.first(), Mode::exploit, action); });
}

void BM_dqn_learner_act(State& state, const Acting& c) {
  const EnvSpec spec = bit_flip(c.bits)()->spec();
  Dqn learner(spec, paper_dqn(), Rng(1));
  const Matrix s = random_matrix(spec.state_dim(), c.observations);
  Matrix action(1, c.observations);
  Rng rng(2);
  measure(state, c.observations, [&] { learner.act(s, Mode::exploit, rng, action); });
}

// ---- actor-critics --------------------------------------------------------------------------------------------------

struct ActorCritic {
  std::string name;  // state-hidden-action/batch
  int state, action;
  std::vector<int> hidden;
  Index batch;
  int threads = 1;
  Precision precision = Precision::float32;

  EnvSpec spec() const {
    return {.name = name,
            .obs_dim = state,
            .action = {.dim = action,
                       .choices = 0,
                       .low = Vector::Constant(action, -1),
                       .high = Vector::Constant(action, 1)},
            .goal = {},
            .max_steps = 50,
            .dt = 0.04};
  }
};

// Sizes of the papers, on the reaching arm (observation 10, goal 3, action 4): Andrychowicz et al. 2017, App. A;
// Plappert et al. 2018, App. B; Haarnoja et al. 2018b and Fujimoto et al. 2018. HIRO's low level on the ant; pendulum.
const ActorCritic kHerDdpg = {"13-64-64-64-4/128", 13, 4, {64, 64, 64}, 128};
const ActorCritic kRoboticsDdpg = {"13-256-256-256-4/256", 13, 4, {256, 256, 256}, 256};
const ActorCritic kReach = {"13-256-256-4/256", 13, 4, {256, 256}, 256};
const ActorCritic kAnt = {"45-300-300-8/128", 45, 8, {300, 300}, 128};
const ActorCritic kPendulum = {"3-64-64-1/100", 3, 1, {64, 64}, 100};
// The arm with larger batches and networks: bench/peers.py.
const ActorCritic kReachLargeBatch = {"13-256-256-4/1024", 13, 4, {256, 256}, 1024};
const ActorCritic kReachWide = {"13-512-512-512-4/256", 13, 4, {512, 512, 512}, 256};

// The products of an update that cannot be left out, on matrices of their own: what an update that was nothing else
// would do, in the same order.
class Products {
 public:
  double flops() const { return flops_; }
  void run() const {
    for (const auto& product : list_) product();
  }

  // A network on a batch. A loss costs a forward pass, the gradients of all weights, and those of all inputs but the
  // first layer's; a frozen critic below the policy a forward pass and the gradients of its inputs.
  struct Net {
    std::vector<Matrix> W, x, grad_W, grad_x;
  };
  Net& network(Index in, std::vector<int> widths, Index out, Index batch) {
    Net& net = nets_.emplace_back();
    widths.push_back(static_cast<int>(out));
    for (const int width : widths) {
      net.W.push_back(random_matrix(width, in, 1));
      net.x.push_back(random_matrix(in, batch, 2));
      in = width;
    }
    net.x.push_back(Matrix::Zero(in, batch));
    net.grad_W = net.W;
    net.grad_x = net.x;
    net.grad_x.back() = random_matrix(in, batch, 3);
    return net;
  }
  void forward(Net& net) {
    for (std::size_t i = 0; i < net.W.size(); ++i)
      append(net.W[i], net.x[i], net.x[i + 1], [](auto& W, auto& x, auto& y) { gemm(W, x, y); });
  }
  void backward(Net& net, bool weights, bool input) {
    for (std::size_t i = net.W.size(); i-- > 0;) {
      if (weights)
        append(net.grad_W[i], net.x[i], net.grad_x[i + 1], [](auto& dW, auto& x, auto& g) { gemm_nt(g, x, dW); });
      if (input || i > 0)
        append(net.W[i], net.grad_x[i], net.grad_x[i + 1], [](auto& W, auto& dx, auto& g) { gemm_tn(W, g, dx); });
    }
  }

 private:
  template <class F>
  void append(Matrix& W, Matrix& x, Matrix& y, F product) {
    list_.push_back([&W, &x, &y, product] { product(W, x, y); });
    flops_ += 2.0 * double(W.size()) * double(x.cols());
  }
  std::list<Net> nets_;
  std::vector<std::function<void()>> list_;
  double flops_ = 0;
};

// Of one update; of two for TD3, which updates its policy every second time.
template <class L>
Products products(const ActorCritic& c) {
  Products p;
  constexpr bool sac = std::is_same_v<L, Sac>;
  constexpr int critics = std::is_same_v<L, Ddpg> ? 1 : 2, critic_updates = std::is_same_v<L, Td3> ? 2 : 1;
  constexpr int judges = sac ? 2 : 1;  // critics that the policy's loss asks
  auto& pi = p.network(c.state, c.hidden, (sac ? 2 : 1) * c.action, c.batch);
  std::vector<Products::Net*> q, q_target;
  for (int i = 0; i < critics; ++i) {
    q.push_back(&p.network(c.state + c.action, c.hidden, 1, c.batch));
    q_target.push_back(&p.network(c.state + c.action, c.hidden, 1, c.batch));
  }
  for (int update = 0; update < critic_updates; ++update) {
    p.forward(pi);
    for (auto* net : q_target) p.forward(*net);
    for (auto* net : q) p.forward(*net);
    for (auto* net : q) p.backward(*net, true, false);
  }
  p.forward(pi);
  for (int i = 0; i < judges; ++i) p.forward(*q[std::size_t(i)]);
  for (int i = 0; i < judges; ++i) p.backward(*q[std::size_t(i)], false, true);
  p.backward(pi, true, false);
  return p;
}

template <class L>
void BM_update_products(State& state, const ActorCritic& c) {
  const Products p = products<L>(c);
  set_compute_threads(c.threads);
  set_precision(c.precision);
  measure(state, 1, [&] { p.run(); });
  set_precision(Precision::float32);
  set_compute_threads(1);
  report_flops(state, p.flops());
}

template <class L, class Config>
L make_learner(const ActorCritic& c) {
  Config config;
  config.pi.hidden = config.q.hidden = c.hidden;
  return L(c.spec(), config, Rng(1));
}

template <class L, class Config>
void BM_learner_update(State& state, const ActorCritic& c) {
  L learner = make_learner<L, Config>(c);
  Batch batch(c.spec(), c.batch, Scalar(0.99));
  batch.s = random_matrix(c.state, c.batch, 1);
  batch.s2 = random_matrix(c.state, c.batch, 2);
  batch.a = random_matrix(c.action, c.batch, 3);
  batch.r.setConstant(-1);
  Rng rng(2);
  Metrics metrics;
  set_compute_threads(c.threads);
  set_precision(c.precision);
  constexpr int updates = std::is_same_v<L, Td3> ? 2 : 1;  // as many as products() counts
  measure(state, updates, [&] {
    for (int i = 0; i < updates; ++i) learner.update(batch, rng, metrics);
  });
  set_precision(Precision::float32);
  set_compute_threads(1);
  report_flops(state, products<L>(c).flops());
}

template <class L, class Config, int observations>
void BM_learner_act(State& state, const ActorCritic& c) {
  L learner = make_learner<L, Config>(c);
  const Matrix s = random_matrix(c.state, observations);
  Matrix action(c.action, observations);
  Rng rng(2);
  measure(state, observations, [&] { learner.act(s, Mode::explore, rng, action); });
}

template <class L, class Config>
void add_update(const char* algorithm, const ActorCritic& size) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16x3, Precision::bfloat16}) {
    if (precision != Precision::float32 && (!has_precision(precision) || size.hidden[0] < 256)) continue;
    for (const int threads : {1, 2}) {
      ActorCritic c = size;
      c.threads = threads;
      c.precision = precision;
      if (precision != Precision::float32) c.name += std::string("/") + kPrecisionNames[std::size_t(precision)];
      c.name += "/threads:" + std::to_string(threads);
      add(std::string("BM_") + algorithm + "_update_products", c, BM_update_products<L>)->UseRealTime();
      add(std::string("BM_") + algorithm + "_learner_update", c, BM_learner_update<L, Config>)->UseRealTime();
    }
  }
}

// ---- HIRO on the ant (Nachum et al. 2018, appendix): observation 30, target 2, sub-goal 15, action 8, 2 x 300, batch
// 100

struct Ant {
  std::string name;
  int threads = 1;
};

// Filled with the experience of a world that moves at random.
std::unique_ptr<Hiro> make_ant_hiro(int first_steps) {
  const EnvSpec spec = {
      .name = "Ant",
      .obs_dim = 30,
      .action = {.dim = 8, .choices = 0, .low = Vector::Constant(8, -30), .high = Vector::Constant(8, 30)},
      .goal = {.dim = 2},
      .max_steps = 500,
      .dt = 0.1};
  HiroConfig c{.hidden_from_low = {0, 1}};
  c.correction.first_steps = first_steps;
  auto agent = std::make_unique<Hiro>(spec, c, 1, Rng(1));
  const std::vector<std::uint8_t> no(1);
  const ObsBatch obs = {random_matrix(30, 1), random_matrix(2, 1), random_matrix(2, 1)};
  StepBatch step = {obs, Matrix(8, 1), Matrix::Constant(1, 1, -10), no, no, no, no, obs};
  for (std::uint64_t t = 0; t < 20'000; ++t) {  // as many as lie in no cache
    step.before = step.after;
    step.after.obs = random_matrix(30, 1, t);
    step.truncated[0] = t % 500 == 499;
    agent->act(step.before, {std::uint8_t(t % 500 == 0)}, Mode::explore, step.action);
    agent->observe(step);
  }
  return agent;
}
Hiro& ant_hiro() {
  static const std::unique_ptr<Hiro> hiro = make_ant_hiro(CorrectionConfig{}.first_steps);
  return *hiro;
}
// Whose correction scores all candidates by all steps.
Hiro& thorough_ant_hiro() {
  static const std::unique_ptr<Hiro> hiro = make_ant_hiro(HiroConfig{}.c);
  return *hiro;
}

template <class Body>
void measure_threads(State& state, int threads, double items, Body body) {
  set_compute_threads(threads);
  measure(state, items, body);
  set_compute_threads(1);
}

// Sampling with the rewards of now, and an update of TD3; every second one has a policy's. Items are updates.
void BM_hiro_low_update(State& state, const Ant& c) {
  Hiro& hiro = ant_hiro();
  Rng rng(1);
  Metrics metrics;
  measure_threads(state, c.threads, 2, [&] {
    for (int i = 0; i < 2; ++i) hiro.low().update(hiro.sample_low(), rng, metrics);
  });
}

// The same with the correction of every segment. Items are updates.
void BM_hiro_high_update(State& state, const Ant& c) {
  Hiro& hiro = ant_hiro();
  Rng rng(1);
  Metrics metrics;
  measure_threads(state, c.threads, 2, [&] {
    for (int i = 0; i < 2; ++i) hiro.high().update(hiro.sample_high(), rng, metrics);
  });
}

// Sampling and correction alone: 100 segments of 10 steps with 10 candidates, 10,000 columns through the low level's
// policy. Items are candidates.
void BM_hiro_relabeling(State& state, const Ant& c) {
  Hiro& hiro = thorough_ant_hiro();
  measure_threads(state, c.threads, 1000, [&] { hiro.sample_high(); });
  const Network policy = {"", 45, 300, 2, 8, 10'000};
  report_flops(state, policy.forward_flops());
}

// The same choices, but candidates that cannot win any more are dropped. Items are candidates.
void BM_hiro_relabeling_dropping(State& state, const Ant& c) {
  Hiro& hiro = ant_hiro();
  double rolled = 0;
  std::int64_t calls = 0;
  measure_threads(state, c.threads, 1000, [&] {
    hiro.sample_high();
    rolled += hiro.correction().rolled();
    ++calls;
  });
  state.counters["rolled_steps"] = rolled / static_cast<double>(std::max<std::int64_t>(calls, 1));
}

// The whole loop of hiro_ant_maze: 20 steps of the world, each with an update of the low level, and two of the high
// level. Items are steps.
void BM_hiro_train_ant_maze(State& state, const Ant& c) {
  VectorEnv env(ant_maze_factory<AntTask::maze>(ant_maze_defaults()), 1, Rng(1));
  Hiro agent(env.spec(), {.learning_starts = 2'500, .hidden_from_low = {0, 1}}, 1, Rng(2));
  Matrix action(env.spec().action.dim, 1);
  Metrics metrics;
  const auto step = [&] {
    agent.act(env.obs(), env.first(), Mode::explore, action);
    agent.observe(env.step(action));
    if (agent.ready()) agent.update(metrics);
  };
  while (!agent.ready()) step();
  measure_threads(state, c.threads, 20, [&] {
    for (int i = 0; i < 20; ++i) step();
    metrics.clear();
  });
}

const bool registered = [] {
  for (const int threads : {1, 2}) {
    const Ant ant{"30+15-300-300-8/100/threads:" + std::to_string(threads), threads};
    add("BM_hiro_low_update", ant, BM_hiro_low_update)->UseRealTime();
    add("BM_hiro_high_update", ant, BM_hiro_high_update)->UseRealTime();
    add("BM_hiro_relabeling", ant, BM_hiro_relabeling)->UseRealTime();
    add("BM_hiro_relabeling_dropping", ant, BM_hiro_relabeling_dropping)->UseRealTime();
    add("BM_hiro_train_ant_maze", ant, BM_hiro_train_ant_maze)->UseRealTime();
  }
  add_update<Ddpg, DdpgConfig>("ddpg", kHerDdpg);
  add_update<Ddpg, DdpgConfig>("ddpg", kRoboticsDdpg);
  add_update<Td3, Td3Config>("td3", kReach);
  add_update<Td3, Td3Config>("td3", kAnt);
  add_update<Sac, SacConfig>("sac", kReach);
  add_update<Sac, SacConfig>("sac", kPendulum);
  add_update<Sac, SacConfig>("sac", kReachLargeBatch);
  add_update<Sac, SacConfig>("sac", kReachWide);
  add("BM_ddpg_learner_act_1", kRoboticsDdpg, BM_learner_act<Ddpg, DdpgConfig, 1>);
  add("BM_ddpg_learner_act_16", kRoboticsDdpg, BM_learner_act<Ddpg, DdpgConfig, kLanes>);
  add("BM_td3_learner_act_1", kReach, BM_learner_act<Td3, Td3Config, 1>);
  add("BM_td3_learner_act_16", kReach, BM_learner_act<Td3, Td3Config, kLanes>);
  add("BM_sac_learner_act_1", kReach, BM_learner_act<Sac, SacConfig, 1>);
  add("BM_sac_learner_act_16", kReach, BM_learner_act<Sac, SacConfig, kLanes>);
  for (const int n : kBitFlipBits) {
    for (const int threads : {1, 2}) {
      const std::string sizes = "n:" + std::to_string(n) + "/" + std::to_string(kBitFlipBatch);
      const Bits bits{sizes + "/threads:" + std::to_string(threads), n, threads};
      add("BM_dqn_learner_update", bits, BM_dqn_learner_update)->UseRealTime();
      add("BM_dqn_agent_update_uniform", bits, BM_dqn_agent_update<HerStrategy::none>)->UseRealTime();
      add("BM_dqn_agent_update_her", bits, BM_dqn_agent_update<HerStrategy::future>)->UseRealTime();
    }
  }
  for (const int observations : {1, kLanes}) {
    const Acting c{"n:40/" + std::to_string(observations), 40, observations};
    add("BM_dqn_learner_act", c, BM_dqn_learner_act);
    add("BM_dqn_agent_act", c, BM_dqn_agent_act);
  }
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
