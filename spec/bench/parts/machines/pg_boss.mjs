// pg-boss, as its documents have it: `send` in the receiver, `work` with batches in a process of
// its own. pg_boss.mjs prepare|receive|work URL
import PgBoss from "pg-boss";
import { POOL, handle, receive } from "./receiver.mjs";

const [role, url] = process.argv.slice(2);
const QUEUE = "webhooks";
// Batches so large, and workers so many, that it never waits for its poll, of 0.5 s at least.
const BATCH = 1000, WORKERS = 4;

const boss = new PgBoss({ connectionString: url, max: POOL, supervise: role === "work",
  schedule: false, migrate: role === "prepare" });
boss.on("error", (problem) => {
  console.error(problem);
});
await boss.start();

if (role === "prepare") {
  await boss.createQueue(QUEUE);
  await boss.stop({ graceful: false });
  process.exit(0);
} else if (role === "receive") {
  receive((event) => boss.send(QUEUE, event));
} else {
  for (let i = 0; i < WORKERS; i++) {
    await boss.work(QUEUE, { batchSize: BATCH, pollingIntervalSeconds: 0.5 }, async (jobs) => {
      for (const job of jobs) {
        await handle(job.data);
      }
    });
  }
  console.log("working");
}
