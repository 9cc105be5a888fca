// A provider for tests: node provider.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI
import Provider from "oidc-provider";

const [port, clientId, clientSecret, redirectUri] = process.argv.slice(2);

// Whoever signs in is who they say.
const account = (id) => ({
  accountId: id,
  claims: async () => ({
    sub: id,
    email: id,
    email_verified: !id.startsWith("unverified"),
    name: `Name of ${id}`,
  }),
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
  findAccount: async (_context, id) => account(id),
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["a key for tests"] },
  features: { devInteractions: { enabled: true } },
});

provider.listen(Number(port), "127.0.0.1");
