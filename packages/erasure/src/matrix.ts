/**
 * The coding matrix. Shard j < data is the data itself; parity shard i is the sum over j of `coefficient(data, i, j)`
 * times data shard j. The coefficients are those of the Cauchy matrix 1 / (x_i + y_j) with y_j = j and x_i = data + i,
 * each column divided by its first element: (data + j) / ((data + i) + j), additions being exclusive or.
 * Every square submatrix of a Cauchy matrix is regular, and scaling columns keeps it so: any `data` shards give back
 * the rest. The first parity shard is the plain sum. More parity shards leave the first ones as they are.
 */
import { assert } from '@molia/core';
import { divide, multiply } from './field.ts';

/** The coefficient of data shard `column` in parity shard `row`; `data + row` is below 255. */
export function coefficient(data: number, row: number, column: number): number {
  return divide(data ^ column, (data + row) ^ column);
}

/**
 * Replaces the `size` × `size` matrix in `square`, which is regular, by its inverse (Gauss and Jordan, without
 * swapping: `inverse` starts as the unit matrix and receives the result). `square` is left as the unit matrix.
 */
export function invert(square: Uint8Array, inverse: Uint8Array, size: number): void {
  for (let i = 0; i < size * size; i++) inverse[i] = i % (size + 1) === 0 ? 1 : 0;
  for (let pivot = 0; pivot < size; pivot++) {
    const at = pivot * size;
    const element = square[at + pivot] as number;
    // INVARIANT: leading minors of a matrix without singular submatrices are not 0, so no pivot is.
    assert(element !== 0, 'a coding matrix has no singular submatrix');
    for (let k = 0; k < size; k++) {
      square[at + k] = divide(square[at + k] as number, element);
      inverse[at + k] = divide(inverse[at + k] as number, element);
    }
    for (let row = 0; row < size; row++) {
      const factor = square[row * size + pivot] as number;
      if (row === pivot || factor === 0) continue;
      const to = row * size;
      for (let k = 0; k < size; k++) {
        square[to + k] = (square[to + k] as number) ^ multiply(factor, square[at + k] as number);
        inverse[to + k] = (inverse[to + k] as number) ^ multiply(factor, inverse[at + k] as number);
      }
    }
  }
}
