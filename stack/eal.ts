// ensureEal(): starts DPDK's environment once per process, in the main thread. Later calls find it running.
import { isMainThread } from 'node:worker_threads';
import type { StackSettings } from './config/settings.js';
import { QstackError } from './errors.js';
import { loadNative } from './native.js';

let running = false;

export function ensureEal(settings: Pick<StackSettings, 'hugepages' | 'device'>): void {
  if (running) return;
  if (!isMainThread) throw new QstackError('QST_ERR_EAL', 'a stack with a device is started in the main thread');
  const pci = settings.device.kind === 'eal' && /^[\da-f]{4}:/i.test(settings.device.device);
  loadNative().startEal({ hugepages: settings.hugepages, pci });
  running = true;
}
