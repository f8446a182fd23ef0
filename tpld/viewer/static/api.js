// Questions to the server. Errors carry the server's own sentence.

export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// Address of a question; entries that are undefined, null or empty are left out.
export function address(name, entries) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(entries)) {
    if (value !== undefined && value !== null && value !== "") query.set(key, value);
  }
  return `/api/${name}?${query}`;
}

export async function ask(name, entries = {}, signal = undefined) {
  let response;
  try {
    response = await fetch(address(name, entries), { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is `tpld view` still running?", 0);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(answer.error ?? `The server answers ${response.status}.`, response.status);
  return answer;
}

// One question at a time: a newer one makes the older ones void.
export function latest(work) {
  let turn = 0;
  let running = null;
  return async (...values) => {
    const mine = ++turn;
    running?.abort();
    running = new AbortController();
    try {
      const answer = await work(running.signal, ...values);
      return mine === turn ? answer : undefined;
    } catch (error) {
      if (error.name === "AbortError" || mine !== turn) return undefined;
      throw error;
    }
  };
}
