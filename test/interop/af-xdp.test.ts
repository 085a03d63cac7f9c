// Kernel peers over af_xdp: see kernel-peers.ts. Needs root for a namespace of its own.
// watchdog: 240s
import { suite } from 'uvu';
import { kernelPeers, type PeerContext } from './kernel-peers.js';
import { interop } from './skip.js';

const peers = suite<PeerContext>('kernel peers over af_xdp');
await interop(peers, (tests) => kernelPeers(tests, 'af_xdp', { shortSeconds: 1 }));
peers.run();
