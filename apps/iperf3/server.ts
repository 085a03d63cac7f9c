// The server: one test at a time, as iperf3's own.
// In: connections of one port; the first bytes of each are a cookie, which says whose it is. Out: finished Trials. A client that
// comes while a test runs is refused; a test whose client is gone, or that takes GRACE_MS longer than it should, is given up.
import type { Connection } from '../../stack/connection.js';
import { Channel } from './channel.js';
import {
  FAULT,
  ParameterFault,
  type Parameters,
  readParameters,
  readResults,
  STATE,
  writeResults,
} from './protocol.js';
import { Trial } from './trial.js';

const GRACE_MS = 30_000;
/** The end of a test may overtake the last bytes of its data connections; with -n it is known how many they are. */
const LAST_BYTES_MS = 1_000;

export interface ServerOptions {
  intervalMs: number;
  onTrial(trial: Trial): void;
  onEnd(trial: Trial): void;
}

export class Server {
  private readonly options: ServerOptions;
  private busy = false;
  private trial: Trial | null = null;
  private whenComplete: () => void = () => {};

  constructor(options: ServerOptions) {
    this.options = options;
  }

  async accept(connection: Connection): Promise<void> {
    const channel = new Channel(connection);
    const cookie = await channel.cookie().catch(() => undefined);
    if (cookie === undefined) return;
    if (this.trial?.cookie === cookie && !this.trial.isComplete) this.addStream(channel);
    else if (this.busy) refuse(channel);
    else await this.control(channel, cookie);
  }

  private addStream(channel: Channel): void {
    this.trial?.add(channel.connection, channel.restBytes);
    if (this.trial?.isComplete) this.whenComplete();
  }

  private async control(channel: Channel, cookie: string): Promise<void> {
    this.busy = true;
    try {
      const parameters = await agree(channel);
      if (parameters !== undefined) await this.test(channel, parameters, cookie);
    } catch {
      // The client went before it had said what it wants.
    } finally {
      this.busy = false;
      channel.connection.close();
    }
  }

  private async test(channel: Channel, parameters: Parameters, cookie: string): Promise<void> {
    const trial = new Trial('server', parameters, cookie, channel.connection.remote);
    this.trial = trial;
    const limitMs = (parameters.seconds + parameters.omitSeconds) * 1000 + GRACE_MS;
    const watchdog = setTimeout(() => channel.connection.abort(), parameters.bytes > 0 ? 86_400_000 : limitMs);
    try {
      await this.steps(channel, trial);
    } catch (error) {
      trial.fault = (error as Error).message;
      trial.end();
    }
    clearTimeout(watchdog);
    this.trial = null;
    trial.close();
    this.options.onEnd(trial);
  }

  private async steps(channel: Channel, trial: Trial): Promise<void> {
    const complete = new Promise<void>((resolve) => {
      this.whenComplete = resolve;
    });
    channel.sendState(STATE.createStreams);
    await Promise.race([complete, lost(channel)]);
    this.options.onTrial(trial);
    channel.sendState(STATE.testStart);
    channel.sendState(STATE.testRunning);
    const over = trial.run(this.options.intervalMs);
    const state = await Promise.race([channel.state(), over.then(() => new Promise<never>(() => {}))]);
    if (state !== STATE.testEnd) throw new Error(`the client has ended the test (state ${state})`);
    if (trial.parameters.bytes > 0 && !trial.sends) await atMost(over, LAST_BYTES_MS);
    trial.end();
    // Before anything else: a client that still waits for the rest of a block looks at the control connection no more.
    trial.closeStreams();
    channel.sendState(STATE.exchangeResults);
    trial.theirs = readResults(await channel.json());
    channel.sendJson(writeResults(trial.results()));
    channel.sendState(STATE.displayResults);
    await channel.state();
  }
}

async function atMost(over: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([over, limit]);
  clearTimeout(timer);
}

function lost(channel: Channel): Promise<never> {
  return channel.connection.closed.then((reason) => {
    throw new Error(`the control connection is gone (${reason})`);
  });
}

function refuse(channel: Channel): void {
  channel.sendState(STATE.accessDenied);
  channel.connection.close();
}

/** The client's parameters; undefined when it wants what is not to be had, which it is told. */
async function agree(channel: Channel): Promise<Parameters | undefined> {
  const watchdog = setTimeout(() => channel.connection.abort(), GRACE_MS);
  channel.sendState(STATE.paramExchange);
  try {
    return readParameters(await channel.json());
  } catch (error) {
    channel.sendFault(STATE.serverError, error instanceof ParameterFault ? error.number : FAULT.unimplemented);
    return undefined;
  } finally {
    clearTimeout(watchdog);
  }
}
