// The echo handler in TypeScript: a reply of 64 bytes to every request of 200. In: the port, in the module's own address.
import { fixed } from '../../../stack/framing.js';
import { serve } from '../../../stack/serve.js';

const port = Number(new URL(import.meta.url).searchParams.get('port'));
const reply = new Uint8Array(64).fill(0x72);

export default serve({
  levels: ['normal'],
  setup(app) {
    app.listen({ port, framing: fixed(200) }, (message) => {
      message.reply(reply);
    });
  },
});
