// The updates that bench/peers.py compares, written for LibTorch's C++ interface: `libtorch THREADS SECONDS` prints,
// for each of them, its name, the number of samples, and the least and the median time in microseconds.
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using torch::Tensor;

constexpr double kGamma = 0.99, kTau = 0.005;

/// Calls body for so many seconds, in samples of at least two milliseconds, and prints times of one of `items`.
void measure(const std::string& name, double seconds, double items, const std::function<void()>& body) {
  using Clock = std::chrono::steady_clock;
  const auto elapsed = [](Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  };
  for (int i = 0; i < 20; ++i) body();
  int calls = 1;
  for (;; calls *= 2) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) body();
    if (elapsed(start) > 2e-3) break;
  }
  std::vector<double> samples;
  for (const auto start = Clock::now(); elapsed(start) < seconds || samples.size() < 5;) {
    const auto begin = Clock::now();
    for (int i = 0; i < calls; ++i) body();
    samples.push_back(elapsed(begin) * 1e6 / calls / items);
  }
  std::sort(samples.begin(), samples.end());
  std::printf("%s,%zu,%.3f,%.3f\n", name.c_str(), samples.size(), samples.front(), samples[samples.size() / 2]);
  std::fflush(stdout);
}

struct MlpImpl : torch::nn::Module {
  MlpImpl(int in, const std::vector<int>& hidden, int out) {
    for (const int width : hidden) {
      layers.push_back(register_module("l" + std::to_string(layers.size()), torch::nn::Linear(in, width)));
      in = width;
    }
    layers.push_back(register_module("out", torch::nn::Linear(in, out)));
  }
  Tensor forward(Tensor x) {
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i]->forward(x).relu_();
    return layers.back()->forward(x);
  }
  std::vector<torch::nn::Linear> layers;
};
TORCH_MODULE(Mlp);

std::vector<Tensor> join(std::vector<Tensor> a, const std::vector<Tensor>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void copy(Mlp& from, Mlp& to) {
  torch::NoGradGuard guard;
  const auto source = from->parameters(), target = to->parameters();
  for (std::size_t i = 0; i < source.size(); ++i) {
    target[i].copy_(source[i]);
    target[i].set_requires_grad(false);
  }
}

void polyak(const std::vector<Tensor>& online, const std::vector<Tensor>& target) {
  torch::NoGradGuard guard;
  for (std::size_t i = 0; i < online.size(); ++i) target[i].lerp_(online[i], kTau);
}

void require_grad(const std::vector<Tensor>& parameters, bool yes) {
  for (const Tensor& p : parameters) p.requires_grad_(yes);
}

torch::optim::Adam adam(const std::vector<Tensor>& parameters, double lr) {
  return torch::optim::Adam(parameters, torch::optim::AdamOptions(lr));
}

void minimize(torch::optim::Adam& optimizer, const Tensor& loss) {
  optimizer.zero_grad();
  loss.backward();
  optimizer.step();
}

struct Sizes {
  std::string name;  // state-hidden-action/batch
  int state, action;
  std::vector<int> hidden;
  int batch;
};

struct Batch {
  explicit Batch(const Sizes& c)
      : s(torch::rand({c.batch, c.state}) * 2 - 1),
        s2(torch::rand({c.batch, c.state}) * 2 - 1),
        a(torch::rand({c.batch, c.action}) * 2 - 1),
        r(torch::full({c.batch, 1}, -1.0)) {}
  Tensor s, s2, a, r;
};

class Sac {
 public:
  explicit Sac(const Sizes& c)
      : action_(c.action),
        pi_(c.state, c.hidden, 2 * c.action),
        q1_(c.state + c.action, c.hidden, 1),
        q2_(c.state + c.action, c.hidden, 1),
        q1_target_(c.state + c.action, c.hidden, 1),
        q2_target_(c.state + c.action, c.hidden, 1),
        log_alpha_(torch::zeros({1}, torch::requires_grad())),
        pi_adam_(adam(pi_->parameters(), 3e-4)),
        q_adam_(adam(join(q1_->parameters(), q2_->parameters()), 3e-4)),
        alpha_adam_(adam({log_alpha_}, 3e-4)) {
    copy(q1_, q1_target_);
    copy(q2_, q2_target_);
  }

  void update(const Batch& b) {
    const Tensor alpha = log_alpha_.detach().exp();
    Tensor y;
    {
      torch::NoGradGuard guard;
      const auto [a2, log_p2] = sample(b.s2);
      const Tensor x2 = torch::cat({b.s2, a2}, 1);
      y = b.r + kGamma * (torch::min(q1_target_->forward(x2), q2_target_->forward(x2)) - alpha * log_p2);
    }
    const Tensor x = torch::cat({b.s, b.a}, 1);
    minimize(q_adam_, torch::mse_loss(q1_->forward(x), y) + torch::mse_loss(q2_->forward(x), y));

    const std::vector<Tensor> critics = join(q1_->parameters(), q2_->parameters());
    require_grad(critics, false);
    const auto [a, log_p] = sample(b.s);
    const Tensor xa = torch::cat({b.s, a}, 1);
    minimize(pi_adam_, (alpha * log_p - torch::min(q1_->forward(xa), q2_->forward(xa))).mean());
    require_grad(critics, true);

    minimize(alpha_adam_, -(log_alpha_ * (log_p.detach() - action_)).mean());
    polyak(q1_->parameters(), q1_target_->parameters());
    polyak(q2_->parameters(), q2_target_->parameters());
  }

  Tensor act(const Tensor& s) {
    torch::NoGradGuard guard;
    return sample(s).first;
  }

 private:
  std::pair<Tensor, Tensor> sample(const Tensor& s) {
    const std::vector<Tensor> out = pi_->forward(s).chunk(2, 1);
    const Tensor log_std = out[1].clamp(-20, 2), noise = torch::randn_like(log_std);
    const Tensor u = out[0] + log_std.exp() * noise;
    // log(1 - tanh(u)^2) in the form that does not cancel
    const Tensor correction = 2 * (std::log(2.0) - u - torch::softplus(-2 * u));
    const Tensor log_p =
        (-0.5 * noise.square() - log_std - 0.5 * std::log(2 * M_PI) - correction).sum(1, /*keepdim=*/true);
    return {u.tanh(), log_p};
  }

  double action_;
  Mlp pi_, q1_, q2_, q1_target_, q2_target_;
  Tensor log_alpha_;
  torch::optim::Adam pi_adam_, q_adam_, alpha_adam_;
};

class Td3 {
 public:
  explicit Td3(const Sizes& c)
      : pi_(c.state, c.hidden, c.action),
        pi_target_(c.state, c.hidden, c.action),
        q1_(c.state + c.action, c.hidden, 1),
        q2_(c.state + c.action, c.hidden, 1),
        q1_target_(c.state + c.action, c.hidden, 1),
        q2_target_(c.state + c.action, c.hidden, 1),
        pi_adam_(adam(pi_->parameters(), 1e-3)),
        q_adam_(adam(join(q1_->parameters(), q2_->parameters()), 1e-3)) {
    copy(pi_, pi_target_);
    copy(q1_, q1_target_);
    copy(q2_, q2_target_);
  }

  void update(const Batch& b, bool policy_too) {
    Tensor y;
    {
      torch::NoGradGuard guard;
      const Tensor noise = (torch::randn_like(b.a) * 0.2).clamp_(-0.5, 0.5);
      const Tensor a2 = (pi_target_->forward(b.s2).tanh_() + noise).clamp_(-1, 1);
      const Tensor x2 = torch::cat({b.s2, a2}, 1);
      y = b.r + kGamma * torch::min(q1_target_->forward(x2), q2_target_->forward(x2));
    }
    const Tensor x = torch::cat({b.s, b.a}, 1);
    minimize(q_adam_, torch::mse_loss(q1_->forward(x), y) + torch::mse_loss(q2_->forward(x), y));
    if (!policy_too) return;
    require_grad(q1_->parameters(), false);
    minimize(pi_adam_, -q1_->forward(torch::cat({b.s, pi_->forward(b.s).tanh()}, 1)).mean());
    require_grad(q1_->parameters(), true);
    polyak(pi_->parameters(), pi_target_->parameters());
    polyak(q1_->parameters(), q1_target_->parameters());
    polyak(q2_->parameters(), q2_target_->parameters());
  }

 private:
  Mlp pi_, pi_target_, q1_, q2_, q1_target_, q2_target_;
  torch::optim::Adam pi_adam_, q_adam_;
};

/// One update of DQN on flipping 40 bits, with the draw of its batch from a replay buffer. Goalpost's also normalizes
/// the batch.
class Dqn {
 public:
  Dqn()
      : q_(80, std::vector<int>{256}, 40),
        target_(80, std::vector<int>{256}, 40),
        adam_(adam(q_->parameters(), 1e-3)),
        s_(torch::randint(0, 2, {kSize, 80}).to(torch::kFloat)),
        s2_(torch::randint(0, 2, {kSize, 80}).to(torch::kFloat)),
        a_(torch::randint(0, 40, {kSize, 1})),
        r_(torch::full({kSize, 1}, -1.0)) {
    copy(q_, target_);
  }
  void update() {
    const Tensor drawn = torch::randint(0, kSize, {kBatch});
    Tensor y;
    {
      torch::NoGradGuard guard;
      const Tensor best = std::get<0>(target_->forward(s2_.index_select(0, drawn)).max(1, /*keepdim=*/true));
      y = (r_.index_select(0, drawn) + 0.98 * best).clamp_(-50, 0);
    }
    const Tensor q = q_->forward(s_.index_select(0, drawn)).gather(1, a_.index_select(0, drawn));
    minimize(adam_, torch::smooth_l1_loss(q, y));
    if (++updates_ % 40 != 0) return;
    polyak(q_->parameters(), target_->parameters());
  }

 private:
  static constexpr int kSize = 200'000, kBatch = 128;
  Mlp q_, target_;
  torch::optim::Adam adam_;
  Tensor s_, s2_, a_, r_;
  int updates_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 3 ? std::atoi(argv[1]) : 0;
  const double seconds = argc == 3 ? std::atof(argv[2]) : 0;
  if (threads < 1 || seconds <= 0) {
    std::fprintf(stderr, "usage: libtorch THREADS SECONDS\n");
    return 2;
  }
  torch::set_num_threads(threads);
  torch::manual_seed(1);
  const Sizes reach = {"13-256-256-4/256", 13, 4, {256, 256}, 256};
  for (const Sizes& c :
       {reach, Sizes{"13-256-256-4/1024", 13, 4, {256, 256}, 1024},
        Sizes{"13-512-512-512-4/256", 13, 4, {512, 512, 512}, 256}, Sizes{"3-64-64-1/100", 3, 1, {64, 64}, 100}}) {
    Sac sac(c);
    const Batch batch(c);
    measure("sac/" + c.name, seconds, 1, [&] { sac.update(batch); });
  }
  {
    const Sizes ant = {"45-300-300-8/128", 45, 8, {300, 300}, 128};
    Td3 td3(ant);
    const Batch batch(ant);
    measure("td3/" + ant.name + "/two", seconds, 1, [&] {
      td3.update(batch, false);
      td3.update(batch, true);
    });
  }
  {
    Dqn dqn;
    measure("dqn/80-256-40/128", seconds, 1, [&] { dqn.update(); });
  }
  {
    Sac sac(reach);
    const Tensor s = torch::rand({1, reach.state});
    measure("act/13-256-256-4", seconds, 1, [&] { sac.act(s); });
  }
  measure("node", seconds, 1000, [&] {
    Tensor p = torch::ones({1, 1}, torch::requires_grad()), x = p;
    for (int i = 0; i < 1000; ++i) x = x + 1;
    x.backward();
  });
}
