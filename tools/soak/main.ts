// `npm run soak`: a long run of everything at once (docs/soak.md). Progress on stderr; the report on stdout, the seed in it.
// Exit 0: every promise was kept; 1: one was broken, or the run failed; 2: usage. The first ^C ends the load, the second quits.
import { readOptions } from './options.js';
import { jsonReport, textReport } from './report.js';
import { Soak } from './soak.js';

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  const say = (line: string) => void process.stderr.write(`soak: ${line}\n`);
  const soak = new Soak(options, say);
  let signals = 0;
  const onSignal = () => {
    if (++signals > 1) process.exit(130);
    say('the load ends early; once more quits at once');
    soak.stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  say(`seed ${options.seed}`);
  try {
    const report = await soak.run();
    const text = options.isJson ? JSON.stringify(jsonReport(report)) : `${textReport(report)}\nseed ${report.seed}`;
    process.stdout.write(`${text}\n`);
    for (const finding of options.isJson ? report.findings : []) say(finding);
    return report.findings.length === 0 ? 0 : 1;
  } catch (error) {
    say(`${(error as Error).message} (seed ${options.seed})`);
    return 1;
  } finally {
    await soak.clean();
  }
}

process.exit(await main(process.argv.slice(2)));
