// What a simulation throws when the machines in it misbehave: an endless loop, a deadline that was missed.
// It is apart from an AssertionError, which tells of a bug in the world itself or of a broken contract in a machine.

export class SimulationError extends Error {
  override readonly name = "SimulationError";
}
