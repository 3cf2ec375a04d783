// PostgreSQL's server and psql: long answers, long questions, and sessions that live on between them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../cmd/deployment.ts";
import type { LabProcess } from "../lab/lab-process.ts";
import { AppPrograms, lacking } from "./app-programs.ts";
import { tunnelTo } from "./app-tunnel.ts";

const skip = lacking("postgresql", "initdb", "postgres", "psql", "setpriv");
const USER = "postgres";
const READY_TIMEOUT_MS = 20_000;
const ROWS = 100_000;
/** With it the rows are 10 MB. */
const ROW_PADDING = 90;

const digest = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest("hex");

class Database {
  readonly programs: AppPrograms;
  private readonly psql: readonly string[];

  private constructor(programs: AppPrograms, port: number) {
    this.programs = programs;
    // -X: no settings of the user's; -A, -t and -q: the rows alone.
    const place = ["-h", "127.0.0.1", "-p", String(port), "-U", USER, "-d", "postgres"];
    this.psql = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", ...place];
  }

  /** A new server, and a way to it through the tunnel. */
  static async create(t: TestContext): Promise<Database> {
    const programs = new AppPrograms(t, USER);
    const data = join(programs.folder, "data");
    await programs.run(["initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]);
    const port = await freePort();
    const settings = ["listen_addresses=127.0.0.1", "fsync=off", `unix_socket_directories=${programs.folder}`];
    const words = settings.flatMap((setting) => ["-c", setting]);
    // SIGINT ends it with all its sessions; SIGTERM would wait for them.
    const server = programs.start(["postgres", "-D", data, "-p", String(port), ...words], "SIGINT");
    await server.waitForLine(/ready to accept connections/, READY_TIMEOUT_MS);
    return new Database(programs, await tunnelTo(t, port));
  }

  query(sql: string, input = ""): Promise<string> {
    return this.programs.run([...this.psql, "-c", sql], input);
  }

  /** A session that takes its statements one by one from its input. */
  session(): LabProcess {
    return this.programs.start(this.psql);
  }
}

test("PostgreSQL through the tunnel", { skip }, async (t) => {
  const database = await Database.create(t);
  await t.test("10 MB that COPY took are the 10 MB that COPY gives, and what the server has", async () => {
    const rows = Array.from(
      { length: ROWS },
      (_, id) => `${id}\t${digest("sha256", `${id}`).padEnd(ROW_PADDING, "=")}`,
    );
    await database.query("create table rows (id integer primary key, body text)");
    await database.query("copy rows from stdin", `${rows.join("\n")}\n`);
    const bodies = rows.map((row) => row.split("\t")[1]).join("");
    assert.equal(
      await database.query("select count(*), md5(string_agg(body, '' order by id)) from rows"),
      `${ROWS}|${digest("md5", bodies)}`,
    );
    const given = await database.query("copy (select * from rows order by id) to stdout");
    assert.equal(digest("sha256", given), digest("sha256", rows.join("\n")));
  });

  await t.test(
    "a cursor goes on where it was after a silence, and its session hears what another one notifies",
    async () => {
      const session = database.session();
      session.write("listen news; begin; declare numbers cursor for select generate_series(1, 3000);\n");
      for (let part = 1; part <= 3; part++) {
        session.write(`fetch 1000 from numbers; select 'part ${part}';\n`);
        await session.waitForLine(new RegExp(`^part ${part}$`), READY_TIMEOUT_MS);
        // Meanwhile the connection moves from the relay to the direct path.
        await sleep(700);
      }
      const fetched = session.lines.filter((line) => /^\d+$/.test(line)).map(Number);
      assert.deepEqual(
        fetched,
        Array.from({ length: 3000 }, (_, index) => index + 1),
      );
      session.write("commit; select 'committed';\n");
      await session.waitForLine(/^committed$/, READY_TIMEOUT_MS);
      await database.query("notify news, 'the payload'");
      // psql looks for notifications after each statement.
      session.write("select 'asked';\n");
      await session.waitForLine(/notification "news" with payload "the payload"/, READY_TIMEOUT_MS);
      session.endInput();
      assert.equal((await session.ended).code, 0);
    },
  );
});
