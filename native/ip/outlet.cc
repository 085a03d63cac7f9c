#include "native/ip/outlet.hh"

namespace qstack {

/// Whatever lies in the frame keeps its place; its offsets are counted from the new start.
void Outlet::tag(Packet* packet) const {
  packet->data -= kVlanTag;
  insert_tag(packet->data, vlan);
  for (uint16_t* const offset : {&packet->length, &packet->l3, &packet->l4, &packet->payload}) {
    *offset = static_cast<uint16_t>(*offset + kVlanTag);
  }
}

}  // namespace qstack
