// `npm start`: the main job from one command. Progress on stderr, the table or the JSON object on stdout.
// Exit 0 ok, 1 a run failed or was stopped, 2 usage. The first ^C ends in order, the second at once.
import { Demo } from './demo.js';
import { readStartOptions, type StartOptions, startCommand } from './options.js';
import { resultObject, resultText } from './result.js';

function optionsOrExit(argv: readonly string[]): StartOptions {
  const command = startCommand().exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse(argv, { from: 'user' });
  const options = readStartOptions(command.opts());
  if (!Array.isArray(options)) return options;
  process.stderr.write(options.map((fault) => `${fault}\n`).join(''));
  process.exit(2);
}

function stopOnSignals(demo: Demo, say: (line: string) => void): void {
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals > 1) {
      demo.stop('SIGKILL');
      process.exit(130);
    }
    say('stopping; once more quits at once');
    demo.stop('SIGINT');
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
}

async function main(argv: readonly string[]): Promise<number> {
  const options = optionsOrExit(argv);
  const startedMs = Date.now();
  const say = (line: string) =>
    void process.stderr.write(`${((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  const demo = new Demo(options, say, startedMs);
  stopOnSignals(demo, say);
  try {
    const measured = await demo.measure();
    const text = options.json ? JSON.stringify(resultObject(measured)) : resultText(measured);
    process.stdout.write(`${text}\n`);
    return measured.connected === options.connections ? 0 : 1;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    await demo.clean();
  }
}

process.exitCode = await main(process.argv.slice(2));
