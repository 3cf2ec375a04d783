// What the load client is asked to do, and how much of it at most.

export type LoadOrder =
  | {
      readonly load: "bulk";
      readonly direction: "down" | "up";
      readonly streams: number;
      readonly warmUpMs: number;
      readonly durationMs: number;
    }
  | { readonly load: "round-trips"; readonly durationMs: number; readonly countMax: number }
  | { readonly load: "connections"; readonly durationMs: number; readonly countMax: number; readonly lanes: number }
  | { readonly load: "crowd"; readonly count: number; readonly lanes: number };
