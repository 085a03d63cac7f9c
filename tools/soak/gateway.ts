// What app threads of a long run import: iotepserver's whole work, and beside it a port on which a message of one byte ends the
// thread that gets it, in one of the ways in which a program's own fault would. iotepserver itself has no such port.
import gateway, { LEVELS } from '../../apps/iotepserver/server.js';
import { fixed } from '../../stack/framing.js';
import { serve } from '../../stack/serve.js';
import { redisCensus } from './census.js';
import { DEATH_PORT, DEATHS, type Death } from './plan.js';

const WAYS: Readonly<Record<Death, () => void>> = {
  throw: () =>
    void setTimeout(() => {
      throw new Error('died as it was told');
    }),
  rejection: () => void Promise.reject(new Error('died as it was told')),
  exit: () => process.exit(3),
};

export default serve({
  levels: LEVELS,
  otherwise: gateway.otherwise,
  classify: gateway.rules,
  async setup(app) {
    await gateway.setup(app);
    app.listen({ port: DEATH_PORT, framing: fixed(1) }, (message) => {
      const how = DEATHS[message.u8(0)];
      if (how !== undefined) WAYS[how]();
    });
    app.onReport(() => redisCensus(app.redis().stats()));
  },
});
