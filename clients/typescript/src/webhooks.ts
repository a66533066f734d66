import { Webhook } from "standardwebhooks";

/** What a webhook of the service says: an event, without personal data unless the webhook includes the user. */
export interface WebhookEvent {
  /** A name of docs/events.md, such as `user.changed`; or `webhook.test`, which has neither `id` nor `sequence`. */
  type: string;
  /** When it happened. */
  timestamp: string;
  /** The same if the event comes again. */
  id?: string;
  /** Events of one user have rising numbers. Ignore an event that is older than what you know. */
  sequence?: number;
  data: {
    /** The user whom the event is about. */
    user?: { id: number; url: string; [field: string]: unknown };
    /** What the event is about, if it is not a user. */
    target?: { kind: string; id: string };
    /** The names of the fields that were changed. */
    changed?: string[];
    /** The ids of the sessions that ended. */
    sessions?: string[];
    actor?: { id: number } | null;
    request_id?: string | null;
    key_id?: string | null;
    impersonator_id?: number | null;
  };
}

/** The request was not signed with this secret, or is older than five minutes: answer with 400. */
export class WebhookVerificationError extends Error {
  override readonly name = "WebhookVerificationError";
}

type HeaderValues = Record<string, string | string[] | undefined>;

export interface Receiver {
  /**
   * Verify a request. Raises WebhookVerificationError.
   *
   * @param body - the bytes of the body as they came; JSON that was parsed and written again has another signature.
   * @param headers - those of a `Request`, or of a request in Node.
   */
  verify(body: Uint8Array | string, headers: Headers | HeaderValues): WebhookEvent;
}

/** Create the receiver of a webhook, with its secret `whsec_…`. While secrets rotate, the old one and the new one work. */
export function createReceiver(secret: string): Receiver {
  const webhook = new Webhook(secret);
  return {
    verify(body, headers) {
      try {
        const text = typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
        return webhook.verify(text, signatureHeaders(headers)) as WebhookEvent;
      } catch (error) {
        throw new WebhookVerificationError((error as Error).message, { cause: error });
      }
    },
  };
}

function signatureHeaders(headers: Headers | HeaderValues): Record<string, string> {
  const value = (name: string): string => {
    const found = headers instanceof Headers ? headers.get(name) : headers[name];
    return typeof found === "string" ? found : "";
  };
  return Object.fromEntries(["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [name, value(name)]));
}
