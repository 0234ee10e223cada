// graphile-worker, as its documents have it: `addJob` in the receiver, a runner with concurrency in
// a process of its own. graphile_worker.mjs prepare|receive|work URL
import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { POOL, handle, receive } from "./receiver.mjs";

const [role, url] = process.argv.slice(2);
const CONCURRENCY = 20;

const logger = new Logger(() => () => {});

if (role === "prepare") {
  await runMigrations({ connectionString: url, logger });
} else if (role === "receive") {
  const utils = await makeWorkerUtils({ pgPool: new pg.Pool({ connectionString: url, max: POOL }),
    logger });
  receive((event) => utils.addJob("webhook", event));
} else {
  await run({ pgPool: new pg.Pool({ connectionString: url, max: CONCURRENCY + 2 }),
    concurrency: CONCURRENCY, pollInterval: 500, noHandleSignals: false, logger,
    taskList: { webhook: async (payload) => handle(payload) } });
  console.log("working");
}
