// The public door: what a program on the stack imports.
export {
  type AcquireOptions,
  all,
  type Child,
  type Coroutine,
  type Op,
  type Permit,
  race,
  Semaphore,
  type SpawnOptions,
  sleep,
  spawn,
  timeout,
  type WaitOptions,
  wait,
} from './coroutine/index.js';
export { type ByteSource, formatPlan, type Payload, type Plan, plan, type Slice } from './mempool/index.js';
export type { App } from './stack/app.js';
export type { AppCounts } from './stack/app-core.js';
export {
  type Condition,
  destinationAddress,
  destinationPort,
  dscp,
  etherType,
  frame,
  frameLength,
  iotRules,
  ip,
  ip4,
  ip6,
  level,
  parseRule,
  payload,
  pcap,
  type Rule,
  sourceAddress,
  sourcePort,
  tcp,
  tcpFlags,
  tcpPayload,
  vlanId,
  vlanPriority,
} from './stack/classifier.js';
export type { CloseReason } from './stack/close-reason.js';
export type { Column } from './stack/column.js';
export type { Connection, DrainOptions } from './stack/connection.js';
export type { ConnectionInfo } from './stack/connection-info.js';
export type { ColumnType, ConnectionId, ConnectionRef } from './stack/connection-table.js';
export type { Stack } from './stack/control.js';
export { ERROR_CODES, type ErrorCode, QstackError } from './stack/errors.js';
export { type Framing, fixed, type LengthPrefixOptions, lengthPrefix, segment, stream } from './stack/framing.js';
export {
  type ConnectOptions,
  type Handler,
  type HandlerOrder,
  type ListenOptions,
  type MessageInbox,
  type PooledHandler,
  pooled,
} from './stack/handler.js';
export { type ConfigObject, InlineStack, inline } from './stack/inline.js';
export type { Listener } from './stack/listener.js';
export type { Address, Message, SendOptions } from './stack/message.js';
export type { Offload, TaskName } from './stack/offload.js';
export type { DeadlinePolicy, Policy, StrictPolicy, WeightedPolicy } from './stack/policy.js';
export type { PreparedCommand, RedisClient, RedisStats, SetOptions } from './stack/redis.js';
export type { RedisBytes } from './stack/redis-block.js';
export type { RedisItem, RedisReply } from './stack/redis-reply.js';
export type { RedisPeer } from './stack/redis-template.js';
export type { RuleHits } from './stack/rule-set.js';
export { type ServeDefinition, type ServeOptions, serve } from './stack/serve.js';
export type { CongestionName, KeepAlive, SocketOptionName, SocketOptions } from './stack/socket-options.js';
export type { Stage, StageTime } from './stack/sojourn.js';
export { type StartOptions, start, stopOnSignals } from './stack/start.js';
