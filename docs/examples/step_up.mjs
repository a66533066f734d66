// Ask for a stronger or newer proof of identity (RFC 9470): node step_up.mjs LEVEL SECONDS < claims of a token.
import { json } from "node:stream/consumers";

// The WWW-Authenticate header of a 401 response; null if the proof is strong and new enough.
function challenge(claims, level, seconds) {
  if (claims.acr >= level && Date.now() / 1000 - claims.auth_time <= seconds) return null;
  return `Bearer error="insufficient_user_authentication", acr_values="${level}", max_age=${seconds}`;
}

console.log(challenge(await json(process.stdin), process.argv[2], Number(process.argv[3])) ?? "enough");
