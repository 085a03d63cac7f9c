// Snapshot: what a program shows of itself once a second, for the page, the terminal and whoever polls.
// In: nothing. Out: the types. Invariant: each section is there only where its program has the figures; rates and
// latencies are those of the last second, so that a reader needs no snapshot before it. Names carry their units.

export interface ProgramFacts {
  /** `iotepserver`, `qstack run`, `mcc`, `monitor`. */
  name: string;
  version: string;
  pid: number;
  started_ms: number;
  /** One line: where it listens, or what it does. */
  about: string;
}

/** Undefined percentiles: the source does not know them. */
export interface StageFigures {
  stage: string;
  level: string;
  /** In the interval. */
  count: number;
  p50_us: number;
  p99_us: number;
  p999_us?: number;
  max_us: number;
}

/** Highest value in microseconds, count, highest value, count, …: cells that are not empty. */
export interface LevelCells {
  level: string;
  cells: number[];
}

/** Since the start. */
export interface StageSpectrum extends LevelCells {
  stage: string;
}

export interface LevelRates {
  level: string;
  /** What came, or what was due. */
  offered_per_s: number;
  answered_per_s: number;
  /** More of the kind, by name: deferred, moved, shed, errors, lost. */
  more: Record<string, number>;
}

export interface QueueDepth {
  queue: string;
  level: string;
  depth: number;
  capacity: number;
}

export interface RedisShard {
  server: string;
  connected: boolean;
  in_flight: number;
  waiting: number;
  replied_per_s: number;
  errors_per_s: number;
  timeouts_per_s: number;
  p50_us: number;
  p99_us: number;
}

/** Something that is only counted. */
export interface Count {
  what: string;
  per_s: number;
  /** Since the start. */
  total: number;
}

export interface BusyCore {
  core: number;
  /** Shares of the interval, 0 to 1. */
  busy: number;
  /** Taken by the hypervisor. */
  steal: number;
}

export interface BusyThread {
  thread: string;
  id: number;
  busy: number;
  /** Where it ran last. */
  core: number;
}

/** Of the last messages that were looked at. */
export interface BusyConnection {
  remote: string;
  messages: number;
  /** Of all messages that were looked at. */
  share: number;
  /** Messages by level. */
  levels: Record<string, number>;
}

export interface SlowConnection {
  remote: string;
  level: string;
  /** From the poll of a message's frame to the send of its reply. */
  took_us: number;
}

export interface RuleFigures {
  rule: string;
  level: string;
  /** Who has put it there. */
  from: 'configuration' | 'program';
  hits: number;
  hits_per_s: number;
}

export interface Rules {
  /** Those of the configuration, one per line: what can be changed. */
  lines: string[];
  /** False: priorities are off, no rule is asked. */
  active: boolean;
  all: RuleFigures[];
}

export interface Policy {
  /** The one in force, as lines of a configuration: what can be changed. */
  lines: string[];
}

export interface Snapshot {
  /** Counts up. */
  number: number;
  at_ms: number;
  /** Of the program's own time: a monitor's is that of its capture. */
  interval_s: number;
  program: ProgramFacts;
  levels: string[];
  connections?: { open: number; capacity: number; opened_per_s: number; closed_per_s: number; [more: string]: number };
  rates?: LevelRates[];
  /** The stage that is all of the way. */
  latency_stage?: string;
  stages?: StageFigures[];
  /** Of `latency_stage`, in the interval. */
  spectrum?: LevelCells[];
  queues?: QueueDepth[];
  /** A second, by reason. */
  drops?: Record<string, number>;
  counts?: Count[];
  redis?: RedisShard[];
  cores?: BusyCore[];
  threads?: BusyThread[];
  busiest?: BusyConnection[];
  slowest?: SlowConnection[];
  rules?: Rules;
  policy?: Policy;
  /** Other figures that a person wants to see, by name and unit. */
  more?: Record<string, number>;
}
