// iotepserver's job as one writes it on node:net and ioredis, for comparison. In: port, Redis sockets; messages of 200 bytes.
// Out: "ready"; the same two Redis commands and the same reply for every message.
import { createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { makeReplies, STORED_BYTES } from '../../../apps/iotepserver/wire.js';
import { classServer, stateServer } from '../priority/shard.js';

const MESSAGE = 200;
const [port = '0', ...sockets] = process.argv.slice(2);
const servers = sockets.map((path) => new Redis(path, { enableAutoPipelining: true }));
const { done, unavailable } = makeReplies('iot');

class Device {
  private readonly key: string;
  private readonly state: Redis;
  private readonly classKey: string;
  private readonly classes: Redis;
  private rest: Buffer = Buffer.alloc(0);

  constructor(private readonly socket: Socket) {
    const { remoteAddress = '', remotePort = 0 } = socket;
    this.key = `s:{${remoteAddress}:${remotePort}}`;
    this.state = servers[stateServer(remoteAddress, remotePort, servers.length)] as Redis;
    this.classKey = `c:${remoteAddress.slice(remoteAddress.lastIndexOf('.') + 1)}`;
    this.classes = servers[classServer(remoteAddress, servers.length)] as Redis;
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => socket.destroy());
  }

  private take(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    for (; at + MESSAGE <= all.length; at += MESSAGE) void this.handle(all.subarray(at, at + MESSAGE));
    this.rest = all.subarray(at);
  }

  private async handle(message: Buffer): Promise<void> {
    let reply = done;
    try {
      const stored = message.subarray(0, STORED_BYTES);
      await Promise.all([this.state.set(this.key, stored, 'GET'), this.classes.get(this.classKey)]);
    } catch {
      reply = unavailable;
    }
    // The template is another message's in the next moment, the socket writes later.
    this.socket.write(Buffer.from(reply.with(message.readUInt32LE(0))));
  }
}

const server = createServer({ noDelay: true }, (socket) => void new Device(socket));
server.listen({ host: '0.0.0.0', port: Number(port), backlog: 4_096 }, () => process.stdout.write('ready\n'));
