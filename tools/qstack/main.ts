// `qstack`: the commands that are not a program of their own.
import { Command } from 'commander';
import { iperf3Command } from '../../apps/iperf3/command.js';
import { doctorCommand } from '../doctor/command.js';
import { forwardCommand } from '../forward/command.js';
import { redisCommand } from '../redis/command.js';
import { classifyCommand } from './classify.js';
import { configCommand } from './config.js';
import { runCommand } from './run.js';
import { ssCommand } from './ss.js';
import { topCommand } from './top.js';

const EXAMPLES = `
Examples:
  qstack run server.js -f server.conf
  qstack top
  qstack ss state established dst 10.0.0.0/24
  qstack config -f server.conf --port 7000
  qstack classify --explain traffic.pcap -f server.conf
  qstack redis up -n 2
  qstack doctor
  qstack forward 8080 10.0.0.1:80
  qstack iperf3 -s --device tap:q0 --host-ip 10.0.0.1/24`;

function program(): Command {
  const command = new Command('qstack')
    .description('a server stack in which a packet’s priority decides its place in every queue')
    .showSuggestionAfterError()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .addHelpText('after', EXAMPLES);
  const commands = [
    runCommand(),
    topCommand(),
    ssCommand(),
    configCommand(),
    classifyCommand(),
    redisCommand(),
    doctorCommand(),
    forwardCommand(),
    iperf3Command(),
  ];
  for (const sub of commands) {
    command.addCommand(sub.copyInheritedSettings(command));
    for (const own of sub.commands) own.copyInheritedSettings(sub);
  }
  return command;
}

try {
  await program().parseAsync();
} catch (error) {
  process.stderr.write(`qstack: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
