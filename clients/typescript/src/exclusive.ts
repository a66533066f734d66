export type Exclusively = <Result>(act: () => Promise<Result>) => Promise<Result>;

/**
 * A function that runs one action after the other, however many are requested at the same time.
 *
 * @param lockName - with it, the other tabs of the origin wait too, where the browser has Web Locks.
 */
export function createQueue(lockName?: string): Exclusively {
  let last: Promise<unknown> = Promise.resolve();
  return <Result>(act: () => Promise<Result>): Promise<Result> => {
    const run = (): Promise<Result> => withLock(lockName, act);
    const result = last.then(run, run);
    last = result.catch(() => undefined);
    return result;
  };
}

async function withLock<Result>(name: string | undefined, act: () => Promise<Result>): Promise<Result> {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  if (name === undefined || locks === undefined) return act();
  return locks.request(name, act);
}
