// A provider for tests: node provider.mjs PORT ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI
import Provider from "oidc-provider";

const [port, issuer, clientId, clientSecret, redirectUri] = process.argv.slice(2);

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

const provider = new Provider(issuer, {
  clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
  findAccount: async (_context, id) => account(id),
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["a key for tests"] },
  features: { devInteractions: { enabled: true } },
});

// Whoever asks by the issuer's own name came through what speaks TLS for it.
provider.proxy = true;
provider.use((context, next) => {
  const { host, protocol } = new URL(issuer);
  if (context.host === host) context.req.headers["x-forwarded-proto"] = protocol.slice(0, -1);
  return next();
});

provider.listen(Number(port), "127.0.0.1");
