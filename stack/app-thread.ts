// The entry of an app thread: imports the user's module, runs its setup(), and then lives in its poller.
// In: AppThreadData, then messages of app-protocol.ts. Out: the same. A fault of the module is told to control; a throw
// outside of any handler ends the thread, and control starts another.
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { AppHost } from './app-host.js';
import type { AppThreadData, FromApp, ToApp } from './app-protocol.js';
import { listConnections } from './connection-list.js';
import { QstackError } from './errors.js';
import type { ListenerControl } from './listener.js';
import { Log } from './log.js';
import { type ListenOptions, loadNative } from './native.js';
import { isServeDefinition, notADefinition } from './serve.js';

const port = parentPort;
if (port === null) throw new QstackError('QST_ERR_INTERNAL', 'app-thread.js is started by control, as a worker');
const data = workerData as AppThreadData;
const tell = (message: FromApp) => port.postMessage(message);

/** Listeners are wanted during setup() and made by control, one for all app threads. */
class CollectedListeners implements ListenerControl {
  readonly wanted: ListenOptions[] = [];
  private readonly finders: ((number: number) => void)[] = [];
  private isOpen = true;

  listen(options: ListenOptions, found: (number: number) => void): void {
    if (!this.isOpen) {
      throw new QstackError('QST_ERR_LISTEN_AFTER_SETUP', 'with app threads, listeners are made in setup()');
    }
    this.wanted.push(options);
    this.finders.push(found);
  }

  begin(numbers: readonly number[]): void {
    numbers.forEach((number, index) => {
      this.finders[index]?.(number);
    });
  }

  endOfSetup(): void {
    this.isOpen = false;
  }

  unlisten(number: number): void {
    tell({ type: 'unlisten', number });
  }

  framing(options: ListenOptions): number {
    return loadNative().listen(data.stack, options);
  }
}

async function setUp(control: CollectedListeners): Promise<AppHost<string>> {
  const { module, ...parts } = data;
  const definition = ((await import(module)) as { default?: unknown }).default;
  if (!isServeDefinition(definition)) throw notADefinition(`${module} has no default export made by serve()`);
  const log = new Log({ level: data.settings.logLevel });
  const drive = data.settings.arrangement === 'shared' ? 'on the air' : 'never';
  const host = new AppHost({ ...parts, definition, control, log, drive });
  await host.setup();
  control.endOfSetup();
  return host;
}

async function obey(host: AppHost<string>, control: CollectedListeners, message: ToApp): Promise<void> {
  switch (message.type) {
    case 'begin':
      control.begin(message.numbers);
      host.begin();
      tell({ type: 'on-air' });
      break;
    case 'counts':
      tell({ type: 'counts', id: message.id, counts: host.counts(message.user) });
      break;
    case 'connections':
      tell({ type: 'connections', id: message.id, found: await listConnections(host.core, message.query) });
      break;
    case 'redis':
      host.followRedis(message.topology);
      break;
    case 'policy':
      host.schedule(message.policy);
      break;
    case 'drain':
      await host.drain(message.limitMs);
      tell({ type: 'drained' });
      break;
    case 'close':
      host.close();
      port?.close();
  }
}

/** As the kernel's own stack goes before processes, a stack thread goes before app threads. */
function stepBack(niceness: number): void {
  const thisThread = 0;
  setPriority(thisThread, Math.min(19, getPriority(thisThread) + niceness));
}

function pin(core: number | undefined): void {
  if (core !== undefined) loadNative().pinThread({ cores: [core] });
}

/** As `ps -L` shows it, beside the stack thread's. */
function nameThread(name: string): void {
  try {
    writeFileSync('/proc/thread-self/comm', name);
  } catch {
    // Only for people who look.
  }
}

try {
  nameThread(`qstack-app${data.app}`);
  stepBack(data.settings.appNice);
  const { pins, arrangement } = data.settings;
  pin((arrangement === 'shared' ? pins?.stacks : pins?.apps)?.[data.app]);
  const control = new CollectedListeners();
  const host = await setUp(control);
  port.on('message', (message: ToApp) => void obey(host, control, message));
  tell({ type: 'set-up', listeners: control.wanted });
} catch (error) {
  const { code, stack, message } = error as Error & { code?: unknown };
  tell({ type: 'failed', code: typeof code === 'string' ? code : 'QST_ERR_APP_FAILED', text: stack ?? message });
  port.close();
}
