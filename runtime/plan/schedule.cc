#include "runtime/plan/schedule.h"

#include <algorithm>
#include <limits>

#include "runtime/aligned_buffer.h"
#include "runtime/partition.h"

namespace lq {
namespace {

// In microseconds. Handing lanes out and waiting for the last takes 1 to 3 with oneTBB; a layer of less than 10 stays
// on one worker; what is larger than a fork may be splits better than it forks.
constexpr double kDispatch = 2, kSerialLayer = 10, kLongestFork = 500;
// Estimates are rough: a fork has to promise more than its lanes may be off.
constexpr double kDoubt = 1.15;
constexpr size_t kMostSteps = 32;  // of a fork: bounds the time of planning
constexpr double kNever = std::numeric_limits<double>::infinity();

// Steps [begin, end) as they are taken in one by one: branches are what no tensor joins.
class Branches {
 public:
  Branches(const Plan& plan, std::span<const double> costs, size_t begin)
      : plan_(plan), costs_(costs), begin_(begin), end_(begin) {}

  void Add(const std::vector<size_t>& writers) {
    const size_t step = end_++;
    branch_.push_back(step - begin_);
    ++branches_;
    total_ += costs_[step];
    for (size_t input : plan_.steps[step].inputs) {
      const size_t writer = writers[input];
      if (writer != kNoStep && writer >= begin_) Join(branch_[writer - begin_], step - begin_);
    }
  }

  double total() const { return total_; }

  // The branches, longest first, each to the lane with the least work: at most `workers` lanes.
  std::vector<std::vector<size_t>> Lanes(size_t workers) {
    Deal(workers);
    std::vector<std::vector<size_t>> lanes(loads_.size());
    for (size_t i = 0; i < branch_.size(); ++i) lanes[lane_of_[branch_[i]]].push_back(begin_ + i);
    return lanes;
  }
  // How long a fork of these steps takes; for ever where there is only one branch.
  double Time(size_t workers) {
    if (branches_ < 2) return kNever;
    Deal(workers);
    return kDispatch + kDoubt * *std::max_element(loads_.begin(), loads_.end());
  }

  static constexpr size_t kNoStep = static_cast<size_t>(-1);

 private:
  // A branch is named by its first step.
  void Join(size_t a, size_t b) {
    const size_t to = std::min(branch_[a], branch_[b]), from = std::max(branch_[a], branch_[b]);
    if (from == to) return;
    std::replace(branch_.begin(), branch_.end(), from, to);
    --branches_;
  }

  void Deal(size_t workers) {
    work_.assign(branch_.size(), 0);
    for (size_t i = 0; i < branch_.size(); ++i) work_[branch_[i]] += costs_[begin_ + i];
    order_.clear();
    for (size_t i = 0; i < branch_.size(); ++i) {
      if (branch_[i] == i) order_.push_back(i);
    }
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return work_[a] > work_[b]; });
    loads_.assign(std::min(workers, order_.size()), 0);
    lane_of_.assign(branch_.size(), 0);
    for (size_t branch : order_) {
      const auto least = std::min_element(loads_.begin(), loads_.end());
      lane_of_[branch] = static_cast<size_t>(least - loads_.begin());
      *least += work_[branch];
    }
  }

  const Plan& plan_;
  std::span<const double> costs_;
  const size_t begin_;
  size_t end_;
  double total_ = 0;
  size_t branches_ = 0;
  std::vector<size_t> branch_;  // of each step, counted from begin_
  std::vector<size_t> order_, lane_of_;
  std::vector<double> work_, loads_;
};

std::vector<double> Costs(const Plan& plan, std::span<const Shape> shapes) {
  std::vector<double> costs;
  for (const PlannedStep& step : plan.steps) {
    const Shape& out = shapes[step.output];
    costs.push_back(out.NumElements() == 0 ? 0 : step.step->Microseconds(step.InputShapes(shapes), out));
  }
  return costs;
}

std::vector<size_t> Writers(const Plan& plan) {
  std::vector<size_t> writers(plan.tensors.size(), Branches::kNoStep);
  for (size_t s = 0; s < plan.steps.size(); ++s) writers[plan.steps[s].output] = s;
  return writers;
}

// Of all steps: microseconds on one worker; of all tensors: the step that writes it.
struct StepFacts {
  std::vector<double> costs;
  std::vector<size_t> writers;
};

double TimeAlone(double cost, size_t workers) {
  return cost < kSerialLayer ? cost : kDispatch + cost / static_cast<double>(workers);
}

// Steps [first, last): where the best stage that ends behind each of them begins. least[j] is the least time for the
// steps before first + j.
std::vector<size_t> BestBegins(const Plan& plan, const StepFacts& facts, Range range, size_t workers) {
  const auto& [costs, writers] = facts;
  const size_t steps = range.end - range.begin;
  std::vector<double> least(steps + 1, kNever);
  std::vector<size_t> begins(steps + 1, 0);
  least[0] = 0;
  for (size_t begin = 0; begin < steps; ++begin) {
    Branches branches(plan, costs, range.begin + begin);
    for (size_t end = begin + 1; end <= std::min(steps, begin + kMostSteps); ++end) {
      branches.Add(writers);
      if (end > begin + 1 && branches.total() > kLongestFork) break;
      const double time = end == begin + 1 ? TimeAlone(costs[range.begin + begin], workers) : branches.Time(workers);
      if (least[begin] + time >= least[end]) continue;
      least[end] = least[begin] + time;
      begins[end] = begin;
    }
  }
  return begins;
}

size_t LargestScratch(const Plan& plan, std::span<const Shape> shapes, const Stage& stage) {
  size_t bytes = 0;
  for (size_t s = stage.begin; s < stage.end; ++s) {
    const PlannedStep& step = plan.steps[s];
    if (shapes[step.output].NumElements() == 0) continue;
    bytes = std::max(bytes, step.step->ScratchBytes(step.InputShapes(shapes), 1));
  }
  return RoundUp(bytes, kAlignment);
}

// The stages of steps that take no turns, behind those of `stages`.
void AddStages(const Plan& plan, std::span<const Shape> shapes, const StepFacts& facts, Range range, size_t workers,
               std::vector<Stage>& stages) {
  if (workers == 1) {
    for (size_t s = range.begin; s < range.end; ++s) stages.push_back({s, s + 1});
    return;
  }
  if (range.begin == range.end) return;
  const std::vector<size_t> begins = BestBegins(plan, facts, range, workers);
  const auto first = static_cast<ptrdiff_t>(stages.size());
  for (size_t last = range.end - range.begin; last > 0; last = begins[last]) {
    Stage stage{range.begin + begins[last], range.begin + last};
    if (stage.end - stage.begin > 1) {
      Branches branches(plan, facts.costs, stage.begin);
      for (size_t s = stage.begin; s < stage.end; ++s) branches.Add(facts.writers);
      stage.lanes = branches.Lanes(workers);
      stage.lane_scratch = LargestScratch(plan, shapes, stage);
    }
    stages.push_back(std::move(stage));
  }
  std::reverse(stages.begin() + first, stages.end());
}

}  // namespace

std::vector<Stage> MakeSchedule(const Plan& plan, std::span<const Shape> shapes, std::span<const Turns> turns,
                                size_t workers) {
  std::vector<Stage> stages;
  const StepFacts facts = workers == 1 ? StepFacts{} : StepFacts{Costs(plan, shapes), Writers(plan)};
  size_t begin = 0;
  for (const Turns& t : turns) {
    AddStages(plan, shapes, facts, {begin, t.begin}, workers, stages);
    stages.push_back({t.begin, t.end, {}, 0, t});
    begin = t.end;
  }
  AddStages(plan, shapes, facts, {begin, plan.steps.size()}, workers, stages);
  return stages;
}

}  // namespace lq
