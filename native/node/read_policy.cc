#include "native/node/read_policy.hh"

namespace qstack::node {

namespace {

/// Numbers by level, each at least `min`; stack/policy.ts has checked their range and that they are there.
template <typename Number>
void read_by_level(const OptionReader& options, const char* name, uint32_t levels, double min, Number* out) {
  const Napi::Value value = options.value(name);
  if (!value.IsArray() || value.As<Napi::Array>().Length() != levels) {
    options.fail(name, "a number for each level is expected");
  }
  for (uint32_t level = 0; level < levels; ++level) {
    const double number = value.As<Napi::Array>().Get(level).ToNumber().DoubleValue();
    if (!(number >= min && number < INT32_MAX)) options.fail(name, "a positive number for each level is expected");
    out[level] = static_cast<Number>(number);
  }
}

}  // namespace

PolicyConfig read_policy(const OptionReader& options, uint32_t levels) {
  PolicyConfig policy;
  const std::string kind = options.text("kind", "strict");
  policy.bound = options.u32("bound", policy.bound, 0, INT32_MAX);
  if (kind == "weighted") {
    policy.kind = PolicyKind::weighted;
    read_by_level(options, "weights", levels, 1e-9, policy.weights.data());
  } else if (kind == "deadline") {
    policy.kind = PolicyKind::deadline;
    read_by_level(options, "budgets", levels, 0, policy.budgets.data());
  } else if (kind != "strict") {
    options.fail("kind", "\"" + kind + "\", but strict, weighted or deadline is expected");
  }
  return policy;
}

}  // namespace qstack::node
