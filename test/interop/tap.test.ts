// Kernel peers over tap: see kernel-peers.ts. Needs root for a namespace of its own.
// watchdog: 240s
import { suite } from 'uvu';
import { kernelPeers, type PeerContext } from './kernel-peers.js';
import { interop } from './skip.js';

const peers = suite<PeerContext>('kernel peers over tap');
await interop(peers, (tests) => kernelPeers(tests, 'tap'));
peers.run();
