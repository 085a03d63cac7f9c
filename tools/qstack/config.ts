// `qstack config`: judges a configuration without starting anything, and prints what it comes to.
import { Command } from 'commander';
import { formatIp, formatIpv4, formatMac } from '../../stack/config/address.js';
import { addConfigFlags, flagEntries } from '../../stack/config/flags.js';
import { settingsOrExit } from '../../stack/config/load.js';
import type { StackSettings } from '../../stack/config/settings.js';

/** Addresses as people write them; everything else as it is. */
function readable(settings: StackSettings): Record<string, unknown> {
  return {
    ...settings,
    address: settings.address === 0 ? 'none' : formatIpv4(settings.address),
    dashboardToken: settings.dashboardToken === undefined ? 'random' : 'given',
    gateway: settings.gateway === 0 ? 'none' : formatIpv4(settings.gateway),
    neighbors: settings.neighbors.map(({ first, count, mac }) => ({
      first: formatIp(first),
      count,
      mac: formatMac(mac),
    })),
  };
}

export function configCommand(): Command {
  const command = new Command('config').description('checks a configuration and prints every setting as JSON');
  addConfigFlags(command).action(() => {
    const file = command.getOptionValue('config') as string | undefined;
    const settings = settingsOrExit({ ...(file === undefined ? {} : { file }), flags: flagEntries(command) });
    process.stdout.write(`${JSON.stringify(readable(settings), undefined, 2)}\n`);
  });
  return command;
}
