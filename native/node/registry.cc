#include "native/node/registry.hh"

#include <map>

#include "native/node/call.hh"

namespace qstack::node {

namespace {

struct Registry {
  std::mutex mutex;
  std::map<uint32_t, std::shared_ptr<StackInstance>> instances;
  uint32_t next = 1;
};

/// Never destroyed: see the invariant. The exit handler is registered after every library that a stack thread uses was
/// loaded, so it runs before their destructors.
Registry& registry() {
  static Registry* const all = [] {
    at_process_end(stop_all);
    return new Registry;
  }();
  return *all;
}

}  // namespace

uint32_t add_instance(std::shared_ptr<StackInstance> instance) {
  const std::lock_guard lock(registry().mutex);
  const uint32_t id = registry().next++;
  registry().instances[id] = std::move(instance);
  return id;
}

std::shared_ptr<StackInstance> find_instance(uint32_t id) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().instances.find(id);
  if (found == registry().instances.end()) {
    throw CodedError("QST_ERR_STACK_DESTROYED", "there is no stack with the number " + std::to_string(id));
  }
  return found->second;
}

void remove_instance(uint32_t id) {
  std::shared_ptr<StackInstance> instance;
  {
    const std::lock_guard lock(registry().mutex);
    const auto found = registry().instances.find(id);
    if (found == registry().instances.end()) return;
    instance = std::move(found->second);
    registry().instances.erase(found);
  }
  instance->destroy();
}

void stop_all() {
  std::vector<std::shared_ptr<StackInstance>> all;
  {
    const std::lock_guard lock(registry().mutex);
    for (const auto& [id, instance] : registry().instances) all.push_back(instance);
  }
  for (const auto& instance : all) instance->stop();
}

}  // namespace qstack::node
