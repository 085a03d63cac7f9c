#include "native/mcc/pending.hh"

namespace qstack::mcc {

void link_sent(PendingPool& pool, Connection& connection, uint32_t index) {
  pool.at(index).next = kNoIndex;
  (connection.oldest == kNoIndex ? connection.oldest : pool.at(connection.newest).next) = index;
  connection.newest = index;
}

uint32_t find_sent(PendingPool& pool, const Connection& connection, uint32_t counter) {
  uint32_t index = connection.oldest;
  while (index != kNoIndex && pool.at(index).counter != counter) index = pool.at(index).next;
  return index;
}

uint32_t unlink_sent(PendingPool& pool, Connection& connection, uint32_t counter) {
  uint32_t before = kNoIndex;
  uint32_t index = connection.oldest;
  while (index != kNoIndex && pool.at(index).counter != counter) {
    before = index;
    index = pool.at(index).next;
  }
  if (index == kNoIndex) return kNoIndex;
  uint32_t next = pool.at(index).next;
  (before == kNoIndex ? connection.oldest : pool.at(before).next) = next;
  if (connection.newest == index) connection.newest = before;
  return index;
}

}  // namespace qstack::mcc
