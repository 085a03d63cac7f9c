// Kernel peers over af_packet: see kernel-peers.ts. Needs root for a namespace of its own.
// watchdog: 240s
import { suite } from 'uvu';
import { kernelPeers, type PeerContext } from './kernel-peers.js';
import { interop } from './skip.js';

const peers = suite<PeerContext>('kernel peers over af_packet');
await interop(peers, (tests) => kernelPeers(tests, 'af_packet'));
peers.run();
