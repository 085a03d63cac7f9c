// What is wrong with a device is said in a sentence before DPDK is asked. The host is a made-up one.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkDevice, type HostNetwork } from '../../stack/device-check.js';
import type { QstackError } from '../../stack/errors.js';
import { settingsOf } from '../../stack/inline.js';

const check = suite('device check');

const HOST: HostNetwork = {
  has: (name) => name === 'eth0' || name === 'q0',
  addressesOf: (name) => (name === 'eth0' ? [{ address: '10.0.0.7', prefixLength: 24 }] : []),
  hasCapability: () => true,
  hasProtocol: (name) => name === 'XDP',
};

function fault(device: string, more: object = {}, host: HostNetwork = HOST): QstackError | undefined {
  try {
    checkDevice(settingsOf({ device, host_ip: '10.0.0.7/24', ...more }), host);
    return undefined;
  } catch (error) {
    return error as QstackError;
  }
}

check('an address that the kernel holds on the same interface is refused, with the command that mends it', () => {
  const found = fault('af_packet:eth0');
  assert.is(found?.code, 'EADDRINUSE');
  assert.match(found?.message ?? '', /10\.0\.0\.7 on eth0 .*`ip addr del 10\.0\.0\.7\/24 dev eth0`/);
});

check('each address of a range is looked at', () => {
  assert.is(fault('af_packet:eth0', { host_ip: '10.0.0.1/24', address_count: 7 })?.code, 'EADDRINUSE');
  assert.is(fault('af_packet:eth0', { host_ip: '10.0.0.1/24', address_count: 6 }), undefined);
  assert.is(fault('af_packet:eth0', { host_ip: '10.0.0.8/24', address_count: 6 }), undefined);
});

check('an IPv6 address that the kernel holds, the link-local one of the interface aside, is refused', () => {
  const held = { ...HOST, addressesOf: () => ['fe80::1', 'fd00::9'].map((address) => ({ address, prefixLength: 64 })) };
  const found = fault('af_packet:eth0', { host_ip: 'fd00::8/64', address_count: 2 }, held);
  assert.is(found?.code, 'EADDRINUSE');
  assert.match(found?.message ?? '', /`ip addr del fd00::9\/64 dev eth0`/);
  assert.is(fault('af_packet:eth0', { host_ip: 'fd00::8/64' }, held), undefined);
  assert.is(fault('af_packet:eth0', { host_ip: '10.0.0.1/24' }, held), undefined);
});

check('a tap that is there already may hold our address as well', () => {
  const held = { ...HOST, addressesOf: () => [{ address: '10.0.0.7', prefixLength: 24 }] };
  assert.match(fault('tap:q0', {}, held)?.message ?? '', /`ip addr del 10\.0\.0\.7\/24 dev q0`/);
  assert.is(fault('tap:new0', {}, held), undefined);
});

check('an interface that is not there is named', () => {
  const found = fault('af_packet:eth9');
  assert.is(found?.code, 'QST_ERR_DEVICE');
  assert.match(found?.message ?? '', /there is no interface "eth9"/);
});

check('missing capabilities are named, and no others', () => {
  const without = (bit: number) => ({ ...HOST, hasCapability: (asked: number) => asked !== bit });
  const packet = fault('af_packet:eth0', { host_ip: '10.0.0.1/24' }, without(13));
  assert.is(packet?.code, 'QST_ERR_DEVICE');
  assert.match(packet?.message ?? '', /needs the capability CAP_NET_RAW: .*setcap cap_net_raw\+ep/);
  const none = fault('af_packet:eth0', {}, { ...HOST, hasCapability: () => false });
  assert.match(
    none?.message ?? '',
    /the capabilities CAP_NET_ADMIN and CAP_NET_RAW: .*`setcap cap_net_admin,cap_net_raw\+ep /,
  );
  assert.match(fault('tap:q0', {}, without(12))?.message ?? '', /needs the capability CAP_NET_ADMIN/);
  assert.is(fault('tap:q0', {}, without(13)), undefined);
});

check('af_xdp: a kernel without AF_XDP sockets is named, and so are too few packets', () => {
  const place = { host_ip: '10.0.0.1/24' };
  assert.is(fault('af_xdp:eth0', place), undefined);
  const old = fault('af_xdp:eth0', place, { ...HOST, hasProtocol: () => false });
  assert.is(old?.code, 'QST_ERR_DEVICE');
  assert.match(old?.message ?? '', /no AF_XDP sockets \(CONFIG_XDP_SOCKETS\)/);
  const few = fault('af_xdp:eth0', { ...place, max_num_buffers: 2_048 });
  assert.match(few?.message ?? '', /max_num_buffers is 2048; af_xdp needs 4096 or more/);
  assert.match(
    fault('af_xdp:eth0', place, { ...HOST, hasCapability: (bit) => bit !== 14 })?.message ?? '',
    /CAP_IPC_LOCK/,
  );
});

check('pcap: a live interface needs one capability and no address of ours, files need none', () => {
  const none = { ...HOST, hasCapability: () => false };
  assert.match(fault('pcap:eth0', {}, none)?.message ?? '', /needs the capability CAP_NET_RAW:/);
  assert.is(fault('pcap:eth0')?.code, 'EADDRINUSE');
  assert.match(fault('pcap:eth9')?.message ?? '', /there is no interface "eth9"/);
  assert.is(fault('pcap:rx=/dev/zero,tx=/dev/null', {}, none), undefined);
});

check('pcap: a file that cannot be read, or written, is named', () => {
  assert.match(fault('pcap:rx=/none.pcap')?.message ?? '', /cannot be read from \/none\.pcap: ENOENT/);
  assert.match(fault('pcap:tx=/none/out.pcap')?.message ?? '', /cannot be written to \/none\/out\.pcap: ENOENT/);
});

check('devices that are no interface of the kernel are not looked at', () => {
  assert.is(fault('net_null0', {}, { ...HOST, hasCapability: () => false }), undefined);
});

check.run();
