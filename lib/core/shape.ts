/** The elements of a tensor of a shape that has been checked: the product of its sizes, for [] one. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
