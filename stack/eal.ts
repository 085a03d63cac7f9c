// ensureEal(): starts DPDK's environment once per process, in the main thread. Later calls find it running.
import { isMainThread } from 'node:worker_threads';
import type { StackSettings } from './config/settings.js';
import { QstackError } from './errors.js';
import { loadNative } from './native.js';

let running = false;

export function ensureEal(settings: Pick<StackSettings, 'hugepages' | 'device'>): void {
  if (running) return;
  if (!isMainThread) throw new QstackError('QST_ERR_EAL', 'a stack with a device is started in the main thread');
  const address = settings.device.kind === 'eal' ? /^[\da-f]{4}:[^,]*/i.exec(settings.device.device)?.[0] : undefined;
  loadNative().startEal({ hugepages: settings.hugepages, pci: address === undefined ? [] : [address] });
  running = true;
}
