// SPDX-License-Identifier: Apache-2.0
/** Waits for a condition, in hooks too, where expect.poll may not be called. */
export async function until(holds: () => Promise<boolean>, within = 90_000): Promise<void> {
  const deadline = Date.now() + within
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${within / 1000} s: ${holds.toString()}`)
    await new Promise((f) => setTimeout(f, 250))
  }
}
