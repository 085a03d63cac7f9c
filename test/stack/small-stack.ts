// The smallest native stack that a device can be tried on: sixteen connections, one level, one app.
import { loadNative, type StackId } from '../../stack/native.js';

/** `device`: an EAL string, or `memif:…`; `mirror`: the socket of its mirror port. */
export function smallStack(device: string, mirror?: string): StackId {
  return loadNative().createStack({
    device,
    ...(mirror === undefined ? {} : { mirror: `memif:${mirror}?server` }),
    ip: { address: 0x0a000001 },
    tcp: { connections: 16, halfOpen: 16, timeWait: 16, busy: 16 },
    levels: 1,
    apps: 1,
    rxPackets: 2_048,
    txPackets: 1_024,
  });
}
