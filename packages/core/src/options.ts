/** Options are resolved once, where they enter: unknown keys are refused, defaults fill the gaps, the result is frozen. */

/** Inclusive integer bounds of numeric options. */
export type OptionLimits<T> = { readonly [K in keyof T]?: readonly [min: number, max: number] };

/** What a caller may give: any of the keys, `undefined` meaning the default. */
export type GivenOptions<T> = { readonly [K in keyof T]?: T[K] | undefined };

/**
 * `defaults` with the caller's values over them; the caller's object stays untouched. An option without a default is
 * listed in `defaults` as `undefined`. Throws TypeError for a key that `defaults` lacks (naming the known ones) and
 * RangeError for an integer outside its limits.
 */
export function resolveOptions<T extends object>(
  name: string,
  defaults: T,
  given: GivenOptions<T> | undefined,
  limits?: OptionLimits<T>,
): Readonly<T> {
  const resolved: T = { ...defaults };
  if (given !== undefined) {
    if (given === null || typeof given !== 'object') {
      throw new TypeError(`${name} options must be an object, not ${given === null ? 'null' : typeof given}`);
    }
    for (const key of Object.keys(given) as (keyof T & string)[]) {
      if (!Object.hasOwn(defaults, key)) {
        const known = Object.keys(defaults).join(', ');
        throw new TypeError(`${name} has no option ${JSON.stringify(key)}; known options: ${known}`);
      }
      resolved[key] = given[key] ?? defaults[key];
    }
  }
  if (limits !== undefined) {
    for (const key of Object.keys(limits) as (keyof T & string)[]) {
      const bounds = limits[key];
      if (bounds !== undefined) intInRange(`${name}.${key}`, resolved[key], bounds[0], bounds[1]);
    }
  }
  return Object.freeze(resolved);
}

/** The value, when it is an integer from `min` to `max`. Throws RangeError naming it and the bounds. */
export function intInRange(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be an integer from ${min} to ${max}, not ${String(value)}`);
  }
  return value;
}
