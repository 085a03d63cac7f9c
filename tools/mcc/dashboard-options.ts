// Flags of mcc's dashboard. In: texts of --dashboard and --dashboard-token. Out: where it listens, and its token.
// Beside a server's page on the same machine it has a port of its own.
import { DASHBOARD_ACCEPTS, type DashboardAddress, parseDashboard } from '../../stack/config/dashboard.js';
import { secret } from '../../stack/config/readers.js';
import type { FlagReader } from './flag-reader.js';

export const DASHBOARD_MCC = '127.0.0.1:9701';

export interface DashboardFlags {
  /** Undefined: only the control socket is there. */
  dashboard: DashboardAddress | undefined;
  dashboardToken: string | undefined;
}

export function readDashboard(reader: FlagReader, bare: boolean): DashboardFlags {
  const text = bare ? DASHBOARD_MCC : reader.text('dashboard');
  const dashboard = text === undefined ? undefined : parseDashboard(text);
  if (text !== undefined && dashboard === undefined) reader.refuse('--dashboard', text, DASHBOARD_ACCEPTS);
  const given = reader.text('dashboardToken');
  const token = given === undefined ? undefined : secret().read(given);
  if (token !== undefined && 'fault' in token) reader.refuse('--dashboard-token', '…', secret().accepts);
  return { dashboard, dashboardToken: token !== undefined && 'value' in token ? token.value : undefined };
}
