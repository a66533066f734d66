import type { AccessClaims } from "./verify.js";
import type { WebhookEvent } from "./webhooks.js";

/** Short texts, each for some seconds, which the processes of a service may share. */
export interface SessionMemory {
  put(key: string, value: string, seconds: number): void | Promise<void>;
  get(key: string): string | null | undefined | Promise<string | null | undefined>;
}

/** Remembers which sessions have ended, as long as access tokens of them may be valid. */
export interface EndedSessions {
  /** Remember what an event says about sessions. It may arrive twice, or late. */
  handle(event: WebhookEvent): Promise<void>;
  /** Whether the session of a token has ended. */
  isEnded(claims: AccessClaims): Promise<boolean>;
}

/** The events after which the sessions that they name have ended, or else all of the user. */
const OF_SESSIONS = ["session.ended", "session.ended_all", "session.token_reused"];

/** The events after which all sessions of the user have ended. */
const OF_USERS = ["user.deactivated", "user.deleted", "service_account.deleted"];

/** The event after which all sessions of all users have ended. */
const OF_ALL = "sessions.ended_all";

/** The events to subscribe a webhook to. */
export const ENDING_EVENTS: readonly string[] = [...OF_SESSIONS, ...OF_USERS, OF_ALL];

const EVERYONE = "everyone";

/** How far clocks may differ, in seconds. */
const CLOCK_TOLERANCE = 60;

/**
 * Create a memory of ended sessions.
 *
 * @param options.lifetime - the `ACCESS_TOKEN_LIFETIME` of the service in seconds, 900 if you do not say.
 * @param options.memory - where to remember; in this process if you do not say.
 */
export function createEndedSessions(options: { lifetime?: number; memory?: SessionMemory } = {}): EndedSessions {
  const memory = options.memory ?? createMemory();
  const seconds = (options.lifetime ?? 900) + CLOCK_TOLERANCE;

  /** Reject tokens that were issued before an event, or in the same second. */
  async function endBefore(key: string, timestamp: string): Promise<void> {
    const second = Math.floor(Date.parse(timestamp) / 1000);
    if (second > Number((await memory.get(key)) ?? -1)) await memory.put(key, String(second), seconds);
  }

  return {
    async handle({ type, timestamp, data: { sessions, user } }) {
      if (OF_SESSIONS.includes(type) && sessions !== undefined) {
        for (const id of sessions) await memory.put(`session:${id}`, "ended", seconds);
      } else if ((OF_SESSIONS.includes(type) || OF_USERS.includes(type)) && user !== undefined) {
        await endBefore(`user:${user.id}`, timestamp);
      } else if (type === OF_ALL) {
        await endBefore(EVERYONE, timestamp);
      }
    },
    async isEnded({ sid, sub, iat }) {
      if ((await memory.get(`session:${sid}`)) != null) return true;
      const ends = await Promise.all([memory.get(`user:${sub}`), memory.get(EVERYONE)]);
      return ends.some((second) => second != null && iat <= Number(second));
    },
  };
}

/** The memory of this process. */
function createMemory(): SessionMemory {
  const texts = new Map<string, { value: string; end: number }>();
  return {
    put(key, value, seconds) {
      const now = Date.now();
      texts.delete(key); // so that the texts stay in the order of their ends
      for (const [other, { end }] of texts) {
        if (end > now) break;
        texts.delete(other);
      }
      texts.set(key, { value, end: now + seconds * 1000 });
    },
    get(key) {
      const text = texts.get(key);
      return text !== undefined && text.end > Date.now() ? text.value : null;
    },
  };
}
