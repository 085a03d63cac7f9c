// The flags of a tool's live page: --dashboard and --dashboard-token. In: a command to which they are added; their texts. Out: where
// the page is served, and its token. Each tool has a port of its own, so that pages of one machine stand beside each other.
import type { Command } from 'commander';
import { DASHBOARD_ACCEPTS, type DashboardAddress, parseDashboard } from '../../stack/config/dashboard.js';
import { secret } from '../../stack/config/readers.js';

export const DASHBOARD_MCC = '127.0.0.1:9701';
export const DASHBOARD_MONITOR = '127.0.0.1:9702';

export interface DashboardFlags {
  /** Undefined: only the control socket is there. */
  readonly dashboard: DashboardAddress | undefined;
  readonly dashboardToken: string | undefined;
}

/** What is read of a command line, as tools/mcc/flag-reader.ts does. */
interface Texts {
  text(name: string): string | undefined;
  refuse(flag: string, text: string | undefined, accepts: string): void;
}

/** `address`: what a bare --dashboard means. */
export function addDashboardFlags(command: Command, address: string): Command {
  return command
    .option('--dashboard [address]', `the live page, at host:port (${address}; port 0: a free one)`)
    .option('--dashboard-token <token>', 'what a reader of the page has to show');
}

/** A command line for reports, which others read than those who may know the token. */
export function withoutToken(command: string): string {
  return command.replace(/(--dashboard-token[= ])\S+/g, '$1...');
}

/** `bare`: the flag stood there without a value, and means `address`. */
export function readDashboard(reader: Texts, bare: boolean, address: string): DashboardFlags {
  const text = bare ? address : reader.text('dashboard');
  const dashboard = text === undefined ? undefined : parseDashboard(text);
  if (text !== undefined && dashboard === undefined) reader.refuse('--dashboard', text, DASHBOARD_ACCEPTS);
  const given = reader.text('dashboardToken');
  const token = given === undefined ? undefined : secret().read(given);
  if (token !== undefined && 'fault' in token) reader.refuse('--dashboard-token', '…', secret().accepts);
  return { dashboard, dashboardToken: token !== undefined && 'value' in token ? token.value : undefined };
}
