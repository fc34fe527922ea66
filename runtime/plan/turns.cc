#include "runtime/plan/turns.h"

#include <algorithm>

#include "runtime/aligned_buffer.h"
#include "runtime/plan/memory_plan.h"

namespace lq {
namespace {

// Bytes that a step reads and writes in a turn: half of the L2 cache of today's cores, the other half is for weights.
constexpr size_t kTurnBytes = 512 << 10;
// Weights that take a turn about a microsecond may be more than its activations.
constexpr size_t kFewWeights = 64 << 10;
// Workers that share out fewer microseconds of work wait longer than they save.
constexpr double kLeastMicroseconds = 20;
// The work of the worker with the most turns, to an equal share.
constexpr double kMostUneven = 1.1;

size_t Bytes(const Plan& plan, std::span<const Shape> shapes, size_t tensor) {
  return static_cast<size_t>(shapes[tensor].NumElements()) * SizeOf(plan.tensors[tensor].dtype());
}

size_t ActivationBytes(const Plan& plan, std::span<const Shape> shapes, const PlannedStep& step) {
  size_t bytes = Bytes(plan, shapes, step.output);
  for (size_t input : step.inputs) bytes += Bytes(plan, shapes, input);
  return bytes;
}

bool Holds(const Shape& shape, int64_t images) {
  return shape.rank() > 1 && shape[0] == images && shape.NumElements() > 0;
}

// How many images a step takes, each by itself; 0 if it does not.
size_t Images(const PlannedStep& step, std::span<const Shape> shapes) {
  const Shape& out = shapes[step.output];
  if (!step.step->KeepsImagesApart() || out.rank() == 0 || !Holds(out, out[0])) return 0;
  std::vector<Shape> one;
  for (size_t input : step.inputs) {
    // Operands broadcast from the last dimension: of another rank the first one is no image of the result.
    const bool is_aligned = step.inputs.size() == 1 || shapes[input].rank() == out.rank();
    if (!is_aligned || !Holds(shapes[input], out[0])) return 0;
    one.push_back(WithImages(shapes[input], 1));
  }
  const Result<Shape> of_one = step.step->OutputShape(one);
  return of_one.ok() && *of_one == WithImages(out, 1) ? static_cast<size_t>(out[0]) : 0;
}

// The largest turns that fit, so many that all workers have about as much to do; 0 where no number does that.
size_t Count(size_t images, size_t image_bytes, size_t workers) {
  const size_t fit = std::max<size_t>(1, kTurnBytes / std::max<size_t>(image_bytes, 1));
  for (size_t rounds = 1; (rounds - 1) * workers < images; ++rounds) {
    const size_t count = std::min(images, rounds * workers), most = (images + count - 1) / count;
    if (most > fit) continue;
    if (static_cast<double>(rounds * most * workers) <= kMostUneven * static_cast<double>(images)) return count;
  }
  return 0;
}

class TurnFinder {
 public:
  TurnFinder(const Plan& plan, std::span<const Shape> shapes, size_t workers)
      : plan_(plan), shapes_(shapes), workers_(workers) {}

  std::vector<Turns> Find() {
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      const PlannedStep& step = plan_.steps[s];
      const size_t images = Images(step, shapes_);
      if (images != images_) Close(s);
      if (images < 2) continue;
      const size_t bytes = ActivationBytes(plan_, shapes_, step) / images;
      if (step.step->info().packed_bytes > std::max(bytes, kFewWeights)) {
        Close(s);
        continue;
      }
      if (images_ == 0) begin_ = s;
      images_ = images;
      largest_ = std::max(largest_, bytes);
      microseconds_ += step.step->Microseconds(step.InputShapes(shapes_), shapes_[step.output]);
    }
    Close(plan_.steps.size());
    return std::move(found_);
  }

 private:
  void Close(size_t end) {
    if (images_ != 0 && end - begin_ > 1 && (workers_ == 1 || microseconds_ >= kLeastMicroseconds)) {
      const size_t count = Count(images_, largest_, workers_);
      if (count > 1) found_.push_back({begin_, end, images_, count});
    }
    images_ = largest_ = 0;
    microseconds_ = 0;
  }

  const Plan& plan_;
  std::span<const Shape> shapes_;
  const size_t workers_;
  std::vector<Turns> found_;
  // The steps from begin_ on, if images_ is not 0.
  size_t begin_ = 0, images_ = 0, largest_ = 0;
  double microseconds_ = 0;
};

// Which steps write and last read each tensor.
std::vector<Lifetime> Uses(const Plan& plan) {
  std::vector<Lifetime> uses(plan.tensors.size());
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    uses[plan.steps[s].output].first = uses[plan.steps[s].output].last = s;
    for (size_t input : plan.steps[s].inputs) uses[input].last = s;
  }
  return uses;
}

// Of the largest turn; the others have one less.
size_t MostImages(const Turns& turns) { return (turns.images + turns.count - 1) / turns.count; }

size_t LargestTurnScratch(const Plan& plan, std::span<const Shape> shapes, const Turns& turns) {
  size_t bytes = 0;
  for (size_t s = turns.begin; s < turns.end; ++s) {
    for (size_t images : {turns.images / turns.count, MostImages(turns)}) {  // more may be cut into smaller tasks
      std::vector<Shape> in;
      for (size_t input : plan.steps[s].inputs) in.push_back(WithImages(shapes[input], images));
      bytes = std::max(bytes, plan.steps[s].step->ScratchBytes(in, 1));
    }
  }
  return bytes;
}

}  // namespace

std::vector<Turns> FindTurns(const Plan& plan, std::span<const Shape> shapes, size_t workers) {
  return TurnFinder(plan, shapes, workers).Find();
}

std::vector<size_t> PlanTurns(const Plan& plan, std::span<const Shape> shapes, std::span<Turns> all) {
  const std::vector<Lifetime> uses = Uses(plan);
  std::vector<size_t> places(plan.tensors.size(), kNoTurn);
  for (Turns& turns : all) {
    const size_t most = MostImages(turns);
    std::vector<size_t> tensors;
    std::vector<Lifetime> lifetimes;
    for (size_t s = turns.begin; s < turns.end; ++s) {
      const size_t tensor = plan.steps[s].output;
      if (plan.tensors[tensor].place != PlanTensor::Place::kWorkspace || uses[tensor].last >= turns.end) continue;
      tensors.push_back(tensor);
      lifetimes.push_back({Bytes(plan, shapes, tensor) / turns.images * most, s, uses[tensor].last});
    }
    const MemoryPlan memory = PlanMemory(lifetimes);
    for (size_t i = 0; i < tensors.size(); ++i) places[tensors[i]] = memory.offsets[i];
    turns.tensor_bytes = memory.bytes;
    turns.bytes = RoundUp(memory.bytes + LargestTurnScratch(plan, shapes, turns), kAlignment);
  }
  return places;
}

}  // namespace lq
