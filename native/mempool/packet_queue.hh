// PacketQueue: a FIFO of packets in one pointer. The last packet points to the first, through Packet::next.
#pragma once

#include "native/mempool/packet.hh"

namespace qstack {

class PacketQueue {
 public:
  bool empty() const { return last_ == nullptr; }
  Packet* front() const { return last_ == nullptr ? nullptr : last_->next; }
  Packet* back() const { return last_; }
  /// The packet after `packet`, or null at the end.
  Packet* after(const Packet* packet) const { return packet == last_ ? nullptr : packet->next; }

  void push_back(Packet* packet) {
    if (last_ == nullptr) {
      packet->next = packet;
    } else {
      packet->next = last_->next;
      last_->next = packet;
    }
    last_ = packet;
  }

  void push_front(Packet* packet) {
    Packet* const last = last_;
    push_back(packet);
    if (last != nullptr) last_ = last;
  }

  /// `packet` is in the queue; `rest` comes behind it.
  void insert_after(Packet* packet, Packet* rest) {
    rest->next = packet->next;
    packet->next = rest;
    if (last_ == packet) last_ = rest;
  }

  Packet* pop_front() {
    Packet* const first = last_->next;
    if (first == last_) {
      last_ = nullptr;
    } else {
      last_->next = first->next;
    }
    first->next = nullptr;
    return first;
  }

 private:
  Packet* last_ = nullptr;
};

}  // namespace qstack
