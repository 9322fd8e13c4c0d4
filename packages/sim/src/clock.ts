/**
 * The instant of a simulation, and the register in which parts hand each other instants. Both are cells of a typed array:
 * an instant beyond 2^31 that travels as an argument or a result may cost a heap number each time.
 */
export class Clock {
  readonly #cells = new Float64Array(2);

  /** Microseconds since the start. INVARIANT: whole ones, or a host's milliseconds would round differently at one instant. */
  get now(): number {
    return this.#cells[0] as number;
  }

  set now(value: number) {
    this.#cells[0] = value;
  }

  /** Microseconds: what the method last called was asked for. */
  get result(): number {
    return this.#cells[1] as number;
  }

  set result(value: number) {
    this.#cells[1] = value;
  }
}
