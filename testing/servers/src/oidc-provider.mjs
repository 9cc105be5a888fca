// OpenID Connect provider for tests: node provider.mjs PORT ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI
import Provider from "oidc-provider";

const [port, issuer, clientId, clientSecret, redirectUri] = process.argv.slice(2);

// Every login name is accepted with any password, and becomes the e-mail address of the account.
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

// A request with the host name of the issuer came through a TLS proxy in front of this server.
provider.proxy = true;
provider.use((context, next) => {
  const { host, protocol } = new URL(issuer);
  if (context.host === host) context.req.headers["x-forwarded-proto"] = protocol.slice(0, -1);
  return next();
});

provider.listen(Number(port), "127.0.0.1");
