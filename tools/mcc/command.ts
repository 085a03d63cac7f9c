// mcc's command line: every flag with its default, and the examples of --help. What a value means is read by options.ts.
// QStack's own flags keep their letters and meaning; the long-only ones are ours.
import { Command, Option } from 'commander';

const EXAMPLES = `
Examples:
  mcc -c 100000 -b 20000 -e 5 -s 5 -w 1 -l 200 -r 0.05 -d 10s      waves: 20,000 messages a second, in one go
  mcc -c 100000 --rate 50k/s -r 0.05 -d 30s --json                 the same connections, a constant rate
  mcc -c 100000 --answer all --phases 'wave:20000/1s/10s,capacity:3s,paced:150%/5s'
  mcc --flood syn --rate 1M/s -d 30s                               a SYN flood, and one connection that watches the server
  mcc -c 1000 --vlan 5 --device af_packet:veth0 --rate 1k/s -d 10s        on VLAN 5 of an interface
  mcc -c 10000 -s 5 --flood syn --flood-rate 1M/s --rate 50k/s -d 30s    connections and messages under a flood
  mcc -c 10000 -s 5 --answer all --flood syn --capacity 300k/s --phases paced:50%/30s    a share of a known capacity
  mcc -c 10368000 --ips 230 --plan                                 memory for ten million connections
Latency counts from the intended send time. ^C ends the run and prints the summary, a second ^C quits.`;

export function mccCommand(): Command {
  return new Command('mcc')
    .description('open-loop load generator on the qstack stack')
    .option('-c, --conn <n>', 'connections', '1')
    .option('-b, --burst <n>', 'messages per wave', '1')
    .option('-e, --epoch <time>', 'time in which each connection sends once (seconds)', '1')
    .option('-s, --setup-time <time>', 'connections open in equal batches, one a second (seconds)', '1')
    .option('--connect-limit <time>', 'how long after the set-up time connections may still be opening (seconds)', '60')
    .option('-w, --wait-time <time>', 'pause between the last open and the first message (seconds)', '1')
    .option('-d, --duration <time>', 'length of the run (seconds)', '1000000')
    .option('-l, --length <bytes>', 'message length', '16')
    .option('-p, --priority-level <n>', '1: fixed per connection, 2: drawn per message', '1')
    .option('-r, --request-ratio <share>', 'share of requests, the high level (default: 1)')
    .option('--levels <list>', 'up to 8 levels with their shares, highest first, instead of -r: high=0.05,low=0.95')
    .option('-t, --think-time <ns>', "the generator's own work per reply", '0')
    .option('--rate <rate>', 'constant rate over all connections instead of waves')
    .option('--flood <kind>', 'syn: SYNs from random addresses of the network, from before the first connection on')
    .option('--flood-rate <rate>', 'of the flood, beside messages; without it --rate is the rate of the flood')
    .option('--phases <list>', 'several runs on the same connections')
    .option('--capacity <rate>', 'known from an earlier run; what is measured counts where it is more')
    .option('--answer <what>', 'what the server answers: requests | all', 'requests')
    .option('--reply <form>', 'auto (iot or http) | echo', 'auto')
    .option('--dest <address>', "server's address", '10.0.0.1')
    .option('--port <n>', "server's port", '80')
    .option('--ips <n>', 'local addresses (as many as the connections need)')
    .option('--source <address>', 'first local address')
    .option('--prefix <bits>', 'prefix length of the network', '16')
    .option('--gateway <address>', 'router, when --dest is outside the network')
    .option('--vlan <n>', '802.1Q VLAN of our frames, in and out (0: untagged)', '0')
    .option('--smp <n>', '1 control thread and n - 1 engine threads', '2')
    .option('--network-stack <name>', 'qstack | mtcp (the same)', 'qstack')
    .option('--socket <path>', "memif socket of the server's stack")
    .option('--device <device>', 'another device: memif:PATH, tap:NAME, af_packet:IF, af_xdp:IF, pcap:IF, EAL string')
    .option('--mac <mac>', 'own MAC address')
    .option(
      '--packets <n>',
      'packets that may wait to be sent or acknowledged (as many as the load may have on its way)',
    )
    .option('--core <n>', 'core of the engine thread (any)')
    .option('--seed <n>', 'seed of levels and order', '1')
    .option('--log-duration <time>', 'period of progress lines when stderr is no terminal (seconds)', '1')
    .option('--json', 'one JSON object on stdout')
    .option('--quiet', 'no progress')
    .option('--plan', 'print threads and memory, and start nothing')
    .addOption(new Option('--no-delay <n>').hideHelp())
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false);
}
