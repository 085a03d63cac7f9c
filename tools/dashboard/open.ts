// Opens the live page of a tool. In: what it shows, where. Out: a Dashboard; with --dashboard its address, with the token behind
// `#`, is said on stderr. The control socket, for `qstack top`, is there in any case.
import { Dashboard } from '../../stack/dashboard/dashboard.js';
import type { DashboardSource } from '../../stack/dashboard/source.js';
import type { DashboardFlags } from './flags.js';

/** Throws QST_ERR_DASHBOARD where nothing can listen there. */
export async function openDashboard(source: DashboardSource, flags: DashboardFlags): Promise<Dashboard> {
  const dashboard = await Dashboard.open(source, { at: flags.dashboard, token: flags.dashboardToken });
  if (dashboard.url !== undefined) process.stderr.write(`dashboard ${dashboard.url}\n`);
  return dashboard;
}
