// Words: what a program calls its figures. In: a program's name. Out: headings and notes of panels, names of lines and tiles.
// index.html has those of a server; here stands what a generator and a monitor say in their place.

export interface Words {
  /** What came or was due, and what became of it. */
  readonly offered: string;
  readonly answered: string;
  readonly dropped: string;
  readonly nothingDropped: string;
  /** By the panel's id; what is not there keeps its own. */
  readonly panels: Readonly<Record<string, { readonly heading: string; readonly note?: string }>>;
}

const SERVER: Words = {
  offered: 'offered',
  answered: 'answered',
  dropped: 'drops',
  nothingDropped: 'Nothing was dropped.',
  panels: {},
};

const OF_PROGRAMS: Readonly<Record<string, Words>> = {
  mcc: {
    ...SERVER,
    panels: {
      stages: {
        heading: 'Response times',
        note: 'in the last second, from the intended send; the bar ends at the 99th percentile, logarithmic',
      },
      overload: {
        heading: 'Sent and failed',
        note: 'messages a second, by level; errors are answers, failed was due while its connection was not open',
      },
    },
  },
  monitor: {
    offered: 'requests',
    answered: 'responses',
    dropped: 'lost',
    nothingDropped: 'No frame was lost.',
    panels: {
      stages: {
        heading: 'Response times',
        note: 'in the last second, at the wire; the bar ends at the 99th percentile, logarithmic',
      },
      rates: { heading: 'Requests and responses', note: 'matched ones a second, by level; dashed are requests' },
      connections: { heading: 'Connections followed' },
      drops: { heading: 'Frames lost on the way here', note: 'by reason, of the time shown' },
      overload: { heading: 'Without a response', note: 'requests a second, by level: given up' },
    },
  },
};

export function wordsOf(program: string): Words {
  return OF_PROGRAMS[program] ?? SERVER;
}
