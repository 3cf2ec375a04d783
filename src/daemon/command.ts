// What every command has around its work: its log and its output, how a failure is told, and the exit code.

import { writeErrorEvent, writeLineNow } from "./line-writer.ts";
import { createLog, type LogLevel, logLevels, type ProcessLog } from "./logging.ts";
import { Output } from "./output.ts";
import type { Environment } from "./state-directory.ts";
import { exitCode, OperatingError, ToldFailure, UsageError } from "./usage-error.ts";

/** The options that all commands share, as the command line gave them. */
export interface CommonOptions {
  readonly json: boolean;
  readonly logLevel?: string | undefined;
}

export interface CommandContext {
  readonly env: Environment;
  readonly log: ProcessLog;
  readonly output: Output;
}

/** Runs a command to its end and ends the process. @param work resolves when the command is done; throws where it failed. */
export async function runCommand(
  options: CommonOptions,
  work: (context: CommandContext) => Promise<void>,
): Promise<never> {
  let code: number = exitCode.done;
  // A callback of a socket or a timer threw: nothing may go on as if it had not.
  process.on("uncaughtException", (error) => endByBug(error, options.json));
  let context: CommandContext | undefined;
  try {
    const log = createLog(parseLogLevel(options.logLevel ?? process.env.TUNNEL_LOG));
    context = { env: process.env, log, output: new Output(options.json) };
    await work(context);
  } catch (error) {
    code = await tellFailure(error, options.json, context);
  }
  await context?.output.flush();
  await context?.log.close();
  process.exit(code);
}

function parseLogLevel(text: string | undefined): LogLevel {
  if (text === undefined || text === "") return "warn";
  const level = logLevels.find((name) => name === text);
  if (level === undefined) throw new UsageError(`"${text}" is no log level; expected one of ${logLevels.join(", ")}`);
  return level;
}

async function tellFailure(error: unknown, json: boolean, context: CommandContext | undefined): Promise<number> {
  await context?.output.flush();
  if (error instanceof ToldFailure) return exitCode.failed;
  if (!(error instanceof UsageError) && !(error instanceof OperatingError)) {
    endByBug(error, json);
  }
  if (json) writeErrorEvent(error.code, error.message);
  writeLineNow(2, `tunnel: ${error.message}`);
  return error instanceof UsageError ? exitCode.usage : exitCode.failed;
}

/** Ends the process loudly, with the stack of an error that is our own. */
export function endByBug(error: unknown, json: boolean): never {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeLineNow(2, `tunnel: this is a fault in tunnel itself; please report it with these lines:\n${stack}`);
  if (json) writeErrorEvent("internal", "a fault in tunnel itself; its stack is on stderr");
  process.exit(exitCode.failed);
}
