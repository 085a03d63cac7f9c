// Client: all Redis servers of one app thread, driven by its poller.
//
//   command ring ──take──▶ template → bytes, key → shard ──▶ Shard (waiting, in flight) ──▶ completion ring
//
// In: commands and given-back places from the block, the time. Out: one completion per command, for ever. Invariant: no
// memory is allocated per command, nothing blocks, no clock is read. The bytes that a command points to are needed
// until take() or poll() has taken it out of the ring, not longer. With `cluster`, shards are added as servers name them,
// and MOVED and ASK are followed; after TRYAGAIN and CLUSTERDOWN a command is sent again while it has time. Whatever a record says, nothing outside of the
// arena, the scratch area and the templates is read. Read first: shard.hh, block.hh.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "native/mempool/mapping.hh"
#include "native/redis/block.hh"
#include "native/redis/command_template.hh"
#include "native/redis/key_slot.hh"
#include "native/redis/shard.hh"

namespace qstack::redis {

struct ClientConfig {
  std::vector<ShardConfig> shards;
  bool cluster = false;  ///< MOVED and ASK are followed
  uint32_t levels = kLevelsMax;
  PolicyConfig policy;         ///< which level's commands go first, at each shard
  uint32_t commands = 16'384;  ///< taken and not completed; a power of two
  uint32_t scratch_bytes = 1024 * 1024;
  PlaceHeap::Counts command_places = {16'384, 1'024, 64, 8};
  PlaceHeap::Counts reply_places = {16'384, 1'024, 64, 8};
};

class Client : private Redirector {
 public:
  /// A command that is sent on more often gets the redirection as its error.
  static constexpr uint8_t kRedirectsMax = 16;
  /// Until a command is sent again that the cluster could not answer; ioredis waits as long.
  static constexpr Nanos kRetryAfter = 100'000'000;

  /// The error text is a sentence. Throws std::bad_alloc when memory is short.
  static std::variant<std::unique_ptr<Client>, std::string> create(const ClientConfig& config,
                                                                   std::span<const uint8_t> arena);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Number of the template, from 1; 0 when there are too many (65,535) or a part names an impossible argument.
  uint32_t add_template(std::span<const Argument> arguments, uint32_t key);
  /// Which shard has which slot: kSlots numbers. False: a number is no shard.
  bool set_slots(std::span<const uint16_t> shards);
  /// The same for a cluster: `slots` are indices of `servers`, of which those that are new become shards. What waits for a
  /// server that has lost its slot waits for the other one from now on. False: there are too many, or an address is wrong.
  bool set_topology(std::span<const Address> servers, std::span<const uint16_t> slots);

  /// Each shard goes by another policy from the next poll on, and so do those that are added.
  void schedule(const PolicyConfig& policy);

  /// Takes commands and given-back places out of their rings; sends nothing.
  void take(Nanos now);
  /// One round over all shards. Returns the completions that wait for JavaScript.
  uint32_t poll(Nanos now);

  /// Nothing is asked and nothing is to be told.
  bool idle() { return pool_.in_use() == 0 && completer_.size() == 0; }
  /// A poll has something to do although no socket has.
  bool busy() const;
  Nanos deadline() const;
  int epoll_fd() const { return epoll_fd_; }

  /// Ends all connections for good. What is not completed never will be.
  void close();

  uint8_t* block() const { return block_.data(); }
  const BlockLayout& layout() const { return layout_; }
  uint32_t shards() const { return static_cast<uint32_t>(shards_.size()); }
  Shard& shard(uint32_t number) { return *shards_[number]; }
  uint64_t refused() const { return refused_; }
  uint32_t places_in_use() const { return replies_.in_use(); }

 private:
  Client(const ClientConfig& config, std::span<const uint8_t> arena, int epoll_fd);

  bool redirect(uint32_t index, const Redirect& to, const Address& from) override;
  bool retry(uint32_t index) override;
  void send_later();
  void add_shard(ShardConfig shard);
  /// Number of the shard with this address, which may be new; kNoIndex: there can be none.
  uint32_t shard_at(const Address& address);
  void note_wanted();
  void send_on_waiting();
  void poll_shards(Nanos now);
  void take_back();
  bool accept(const abi::RedisCommand& record, Nanos now);
  bool fill(const abi::RedisCommand& record, Holes& holes) const;
  bool render(const abi::RedisCommand& record, const Holes& holes, Pending& entry, std::span<const uint8_t>& key);
  uint32_t shard_of(const abi::RedisCommand& record, std::span<const uint8_t> key, Pending& entry) const;

  std::span<const uint8_t> arena_;
  BlockLayout layout_;
  Mapping block_;
  Mapping command_memory_;
  PlaceHeap commands_;
  PlaceHeap replies_;
  PendingPool pool_;
  Completer completer_;
  RingConsumer<abi::RedisCommand> incoming_;
  RingConsumer<uint32_t> given_back_;
  std::vector<CommandTemplate> templates_;
  std::vector<uint16_t> slots_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<uint8_t> buffer_;
  ShardConfig pattern_;  ///< of shards that are added
  PendingList later_;    ///< commands that the cluster could not answer, the first that is due first
  Nanos now_ = 0;        ///< of the last poll
  uint32_t levels_;
  bool cluster_;
  bool redirected_ = false;  ///< since the round over the shards began
  int epoll_fd_;
  uint64_t refused_ = 0;
  bool closed_ = false;
};

}  // namespace qstack::redis
