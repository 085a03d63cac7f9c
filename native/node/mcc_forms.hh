// What a generator sends and awaits, as JavaScript says it (tools/mcc/native.ts): levels, messages, replies, traces.
//
// In: plain options. Out: native values, or a CodedError that names the option.
#pragma once

#include <memory>
#include <vector>

#include "native/mcc/message.hh"
#include "native/mcc/reply.hh"
#include "native/mcc/schedule.hh"
#include "native/node/options.hh"

namespace qstack::node {

std::vector<double> read_shares(const OptionReader& options);
/// Absent: MCC's messages. Otherwise one for each level.
std::vector<mcc::MessageTemplate> read_messages(const OptionReader& options, size_t levels);
mcc::ReplyFormat read_reply(const OptionReader& options);
std::shared_ptr<const mcc::Trace> read_trace(const OptionReader& options);

}  // namespace qstack::node
