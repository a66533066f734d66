/** Tokens as they are stored. Times are milliseconds of the local clock. */
export interface StoredTokens {
  accessToken: string;
  refreshToken: string;
  /** When to refresh. */
  renewAt: number;
  /** When the access token expires. */
  expiresAt: number;
}

/** Where the tokens of the user are. Write your own for a mobile app or a server-side session. */
export interface TokenStorage {
  read(): StoredTokens | null | Promise<StoredTokens | null>;
  write(tokens: StoredTokens | null): void | Promise<void>;
  /** The name of the Web Lock for a storage that several tabs share. */
  readonly lockName?: string;
  /** Calls the listener when another tab has removed the tokens. */
  onRemoved?(listener: () => void): void;
}

/** In memory: no script can find the tokens later, and they are lost when the page is loaded again. */
export function memoryStorage(): TokenStorage {
  let stored: StoredTokens | null = null;
  return {
    read: () => stored,
    write: (tokens) => {
      stored = tokens;
    },
  };
}

/** In `localStorage`, which all tabs share. Every script of the page can read it, an injected one too. */
export function localTokenStorage(key = "userapi-client"): TokenStorage {
  return {
    lockName: key,
    read() {
      try {
        return JSON.parse(localStorage.getItem(key) ?? "null") as StoredTokens | null;
      } catch {
        return null;
      }
    },
    write(tokens) {
      if (tokens === null) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(tokens));
    },
    onRemoved(listener) {
      globalThis.addEventListener("storage", (event) => {
        const isRemoved = event.key === null || (event.key === key && event.newValue === null);
        if (event.storageArea === localStorage && isRemoved) listener();
      });
    },
  };
}
