// The client: one test against a server, step by step as the server's states ask for them.
// In: an app, where to connect, parameters. Out: a finished Trial; what went wrong stands in its `fault`.
import type { App } from '../../stack/app.js';
import { stream } from '../../stack/framing.js';
import { Channel } from './channel.js';
import { makeCookie, type Parameters, readResults, STATE, writeParameters, writeResults } from './protocol.js';
import { Trial } from './trial.js';

export interface ClientOptions {
  address: string;
  port: number;
  parameters: Parameters;
  intervalMs: number;
  onTrial(trial: Trial): void;
}

/** What other states than the expected ones mean. */
const ENDS: Readonly<Record<number, string>> = {
  [STATE.accessDenied]: 'the server is busy running a test; try again later',
  [STATE.serverTerminate]: 'the server has terminated',
};

async function faultOfServer(channel: Channel): Promise<never> {
  const bytes = await channel.take(8);
  throw new Error(
    `the server refuses the test: fault ${bytes.readInt32BE(0)} of iperf3, errno ${bytes.readInt32BE(4)}`,
  );
}

export class Client {
  private readonly app: App<'normal'>;
  private readonly options: ClientOptions;
  private readonly trial: Trial;
  private running: Promise<void> = Promise.resolve();

  constructor(app: App<'normal'>, options: ClientOptions) {
    this.app = app;
    this.options = options;
    const peer = { address: options.address, port: options.port };
    this.trial = new Trial('client', options.parameters, makeCookie(), peer);
  }

  async run(): Promise<Trial> {
    const { trial } = this;
    try {
      const channel = await this.open();
      channel.sendCookie(trial.cookie);
      while (await this.step(channel, await this.stateOf(channel)));
      channel.connection.close();
    } catch (error) {
      trial.fault = (error as Error).message;
      trial.end();
    }
    trial.close();
    return trial;
  }

  private async open(): Promise<Channel> {
    const { address, port } = this.options;
    return new Channel(await this.app.connect({ address, port, framing: stream }));
  }

  /** What the server says next; rejects when a data connection breaks before. */
  private stateOf(channel: Channel): Promise<number> {
    return Promise.race([channel.state(), this.running.then(() => new Promise<never>(() => {}))]);
  }

  /** Does what a state asks for. False: it was the last. */
  private async step(channel: Channel, state: number): Promise<boolean> {
    switch (state) {
      case STATE.paramExchange:
        channel.sendJson(writeParameters(this.trial.parameters));
        return true;
      case STATE.createStreams:
        await this.createStreams();
        return true;
      case STATE.testStart:
        return true;
      case STATE.testRunning:
        this.begin(channel);
        return true;
      case STATE.exchangeResults:
        channel.sendJson(writeResults(this.trial.results()));
        this.trial.theirs = readResults(await channel.json());
        return true;
      case STATE.displayResults:
        channel.sendState(STATE.done);
        return false;
      case STATE.serverError:
        return faultOfServer(channel);
      default:
        throw new Error(ENDS[state] ?? `the server is in state ${state}, which is not known`);
    }
  }

  /** One after the other: the server numbers streams in the order in which they come. */
  private async createStreams(): Promise<void> {
    for (let index = 0; index < this.trial.parameters.streams; index++) {
      const channel = await this.open();
      channel.sendCookie(this.trial.cookie);
      this.trial.add(channel.connection);
    }
    this.options.onTrial(this.trial);
  }

  private begin(channel: Channel): void {
    this.running = this.trial.run(this.options.intervalMs).then(() => {
      this.trial.end();
      channel.sendState(STATE.testEnd);
    });
    // It is looked at by stateOf(); whoever is faster must not end the process.
    this.running.catch(() => {});
  }
}
