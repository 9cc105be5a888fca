//! Who gets in where: every operation, asked by everybody there is, with every kind of token there is. What
//! comes of it is the table in `docs/ACCESS.md`, which is compared and not believed.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use souk::clock::SystemClock;
use souk_eventsourcing::Clock as _;
use souk_gateway::table::{self, Access, Route};
use souk_http::identity::TOKEN_OR_CART;
use souk_servers::Redis;

use super::process::{Gateway, Shop, souk};
use super::stocked;

/// Not the one of the document's examples, which would erase somebody.
const PASSWORD: &str = "zebra horse battery";
/// The file that says what comes of it.
const FILE: &str = "docs/ACCESS.md";
/// Writes the file anew instead of comparing it; the same variable that does so for the API's document.
const UPDATE: &str = "SOUK_UPDATE_OPENAPI";
/// Nobody is counted, so that everybody can ask for everything.
const NO_LIMITS: (&str, &str) = ("SOUK_LIMITS", "off");
/// What another listener has.
const INTERNAL: &str = "/internal/";
/// An id that nothing has.
const NOTHING: &str = "0199c2aa-bbcc-8000-8000-00000000ffff";

/// What is said of a token that is no good, before anybody looks at what it is for.
const REFUSALS: [&str; 9] = [
    "a token is needed here",
    TOKEN_OR_CART,
    "the token is malformed, or not signed for this shop",
    "the token's key is not known",
    "the token has expired",
    "the token is not valid yet",
    "the session has ended: sign in again",
    "the token's subject is malformed",
    "`Authorization: Bearer …` is wanted",
];

/// Somebody who asks.
struct Identity {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nobody,
    Guest,
    OtherGuest,
    Customer,
    OtherCustomer,
    Admin,
    Service,
    /// Whoever shows this token is refused everywhere.
    Refused,
}

impl Identity {
    fn token(name: &'static str, token: &str, kind: Kind) -> Self {
        Self { name, headers: vec![("authorization", format!("Bearer {token}"))], kind }
    }

    fn cart(name: &'static str, token: String, kind: Kind) -> Self {
        Self { name, headers: vec![("x-cart-token", token)], kind }
    }
}

/// What there is that belongs to somebody.
struct Belongings {
    customers_order: String,
    guests_order: String,
    customers_address: String,
}

async fn signed_up(shop: &Shop, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD, "name": "Somebody"});
    let (status, answer) = shop.send("POST", "/api/auth/signup", &body, &[]).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Every kind of token that is no good, made with what only the shop has where that helps.
fn forged(folder: &Path, keys: &Value, good: &str) -> Vec<Identity> {
    let pem = std::fs::read(folder.join("keys/token.pem")).unwrap();
    let key = EncodingKey::from_ed_pem(&pem).unwrap();
    let public = &keys["keys"][0];
    let kid = text(public, "kid");
    let now = SystemClock.now().as_second();
    let claims = json!({"sub": "ada", "roles": ["admin"], "iss": "souk", "aud": "souk", "exp": now + 600,
        "iat": now, "jti": "x"});
    let with = |change: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    let header = |kid: &str| Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let signed = |kid: &str, claims: &Value| jsonwebtoken::encode(&header(kid), claims, &key).unwrap();
    let part = |value: &Value| {
        base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, value.to_string().as_bytes())
    };
    let none = format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT", "kid": kid})), part(&claims));
    let hmac = jsonwebtoken::encode(
        &Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) },
        &claims,
        &EncodingKey::from_secret(text(public, "x").as_bytes()),
    );
    let (head, signature) = good.rsplit_once('.').unwrap();
    let backwards = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let bad = |name, token: &str| Identity::token(name, token, Kind::Refused);
    vec![
        bad("expired", &signed(&kid, &with(json!({"exp": now - 60, "iat": now - 660})))),
        bad("not yet valid", &signed(&kid, &with(json!({"iat": now + 600, "exp": now + 1_200})))),
        bad("wrong signature", &backwards),
        bad("alg: none", &none),
        bad("HMAC with the public key", &hmac.unwrap()),
        bad("unknown kid", &signed("0123456789abcdef", &claims)),
        bad("other issuer", &signed(&kid, &with(json!({"iss": "elsewhere"})))),
        bad("other audience", &signed(&kid, &with(json!({"aud": "elsewhere"})))),
    ]
}

async fn everybody(shop: &Shop) -> (Vec<Identity>, Belongings) {
    stocked(shop, "LAMP", 1_000).await;
    let ada = signed_up(shop, "ada@example.org").await;
    let bob = signed_up(shop, "bob@example.org").await;
    let gone = signed_up(shop, "gone@example.org").await;
    let logout = json!({"refreshToken": gone["refreshToken"]});
    assert_eq!(shop.send("POST", "/api/auth/logout", &logout, &[]).await.0, 204);
    let bearer = format!("Bearer {}", text(&ada, "accessToken"));
    let order = json!({"lines": [{"sku": "LAMP", "quantity": 1}], "payment": {"token": "tok_ok"}});
    let placed = shop.send("POST", "/api/orders", &order, &[("authorization", &bearer)]).await.1;
    let entry = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"});
    let address = shop.send("POST", "/api/users/me/addresses", &entry, &[("authorization", &bearer)]).await.1;
    let item = json!({"sku": "LAMP", "quantity": 1});
    let (cart, other_cart) = (shop.guest_cart(&item).await, shop.guest_cart(&item).await);
    let from_cart = json!({"cart": true, "email": "guest@example.org", "payment": {"token": "tok_ok"}});
    let guests = shop.send("POST", "/api/orders", &from_cart, &[("x-cart-token", &cart)]).await.1;
    let machine = |role: &str| {
        let token = souk(shop.folder(), &["token", "--role", role, "--subject", "machine"]);
        String::from_utf8(token.stdout).unwrap().trim().to_owned()
    };
    let keys = shop.send("GET", "/.well-known/jwks.json", &Value::Null, &[]).await.1;
    let mut all = vec![
        Identity { name: "no token", headers: Vec::new(), kind: Kind::Nobody },
        Identity::cart("guest", cart, Kind::Guest),
        Identity::cart("another guest", other_cart, Kind::OtherGuest),
        Identity::token("customer", &text(&ada, "accessToken"), Kind::Customer),
        Identity::token("another customer", &text(&bob, "accessToken"), Kind::OtherCustomer),
        Identity::token("admin", &machine("admin"), Kind::Admin),
        Identity::token("service", &machine("service"), Kind::Service),
    ];
    all.extend(forged(shop.folder(), &keys, &machine("admin")));
    all.push(Identity::token("revoked", &text(&gone, "accessToken"), Kind::Refused));
    let belongings = Belongings {
        customers_order: text(&placed, "id"),
        guests_order: text(&guests, "id"),
        customers_address: text(&address, "id"),
    };
    // What was written can be read.
    shop.get(&format!("/api/orders/{}", belongings.guests_order)).await;
    (all, belongings)
}

/// The path of an operation on what belongs to the customer or to the guest.
fn path_of(path: &str, is_guests: bool, own: &Belongings) -> (String, bool) {
    let order = if is_guests { &own.guests_order } else { &own.customers_order };
    let owned = match path {
        "/api/orders/{id}" | "/api/orders/{id}/cancel" => path.replace("{id}", order),
        "/api/payments/{id}" => {
            let order = order.parse().map(souk_domain::OrderId).unwrap();
            path.replace("{id}", &souk_domain::PaymentId::of(order).to_string())
        }
        path if path.starts_with("/api/users/me/addresses/{id}") => {
            path.replace("{id}", &own.customers_address)
        }
        _ => return (nowhere(path), false),
    };
    (owned, true)
}

/// The path with ids that nothing has.
fn nowhere(path: &str) -> String {
    ["{id}", "{sku}", "{item}", "{stream}", "{code}"]
        .iter()
        .fold(path.to_owned(), |path, part| path.replace(part, NOTHING))
}

/// What should come of it: a status that refuses, or `in`.
fn expected(access: Access, kind: Kind, path: &str, is_owned: bool) -> &'static str {
    use Kind::{Admin, Customer, Guest, Nobody, OtherCustomer, OtherGuest, Refused, Service};
    let is_address = path.contains("/addresses/");
    match (access, kind) {
        (_, Refused) => "401",
        (Access::Anyone | Access::Guest | Access::Signature, _) => "in",
        (_, Nobody) | (Access::SignedIn | Access::Staff | Access::Admin, Guest | OtherGuest) => "401",
        (Access::Staff | Access::Admin, Customer | OtherCustomer) | (Access::Admin, Service) => "403",
        (Access::Buyer, OtherGuest | OtherCustomer | Service) if is_owned => "404",
        // Machines have no account, and so no address.
        (Access::SignedIn, OtherCustomer | Service | Admin) if is_owned && is_address => "404",
        (Access::Buyer | Access::SignedIn | Access::Staff | Access::Admin, _) => "in",
    }
}

fn came_of(status: u16, answer: &Value, is_owned: bool) -> &'static str {
    let detail = answer["detail"].as_str().unwrap_or("");
    match status {
        401 if REFUSALS.contains(&detail) => "401",
        403 if detail.starts_with("one of these roles is needed") => "403",
        404 if is_owned => "404",
        500.. => "an error of the shop",
        _ => "in",
    }
}

/// What an answer says besides where and when.
fn said(mut answer: Value) -> Value {
    if let Some(problem) = answer.as_object_mut() {
        problem.retain(|name, _| !matches!(name.as_str(), "correlationId" | "instance"));
    }
    answer
}

/// A body that the operation takes, from the document's example.
fn body_of(document: &Value, operation: &Value) -> Value {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    schema["example"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_in_where_they_may_and_nowhere_else() {
    let shop = Shop::start(&[NO_LIMITS]).await;
    let matrix = asked_by_everybody(&shop, async |method, path, body, headers| {
        shop.send(method, path, body, headers).await
    });
    compare(&matrix.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_gateway_it_is_the_same() {
    // Told by Redis, it knows of ended sessions itself.
    let redis = Redis::start().unwrap();
    let url = redis.url();
    let variables = [NO_LIMITS, ("SOUK_REDIS_URL", url.as_str())];
    let shop = Shop::start(&variables).await;
    let gateway = Gateway::start(shop.address(), &variables).await;
    let matrix = asked_by_everybody(&shop, async |method, path, body, headers| {
        gateway.send(method, path, body, headers).await
    });
    compare(&matrix.await);
}

/// The table of what comes of every operation of a shop, asked at a door of it.
async fn asked_by_everybody(
    shop: &Shop,
    send: impl AsyncFn(&str, &str, &Value, &[(&str, &str)]) -> (u16, Value),
) -> String {
    let (everybody, own) = everybody(shop).await;
    let revoked = everybody.last().unwrap();
    let headers: Vec<_> = revoked.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let is_heard_of = async {
        while send("GET", "/api/admin/projections", &Value::Null, &headers).await.0 != 401 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_heard_of).await.unwrap();
    let document = send("GET", "/openapi.json", &Value::Null, &[]).await.1;
    let paths = document["paths"].as_object().unwrap();
    let mut operations: Vec<(&str, String, &Value)> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(move |(method, operation)| (path.as_str(), method.to_uppercase(), operation))
        })
        .collect();
    // What the process says of itself is not in the document.
    let is_its_own = |route: &&Route| !paths.contains_key(route.path) && !route.path.starts_with(INTERNAL);
    let its_own = table::ROUTES.iter().filter(is_its_own);
    operations.extend(its_own.map(|route| (route.path, route.method.to_owned(), &Value::Null)));
    let mut matrix = String::new();
    let names: Vec<_> = everybody.iter().map(|identity| identity.name).collect();
    writeln!(matrix, "| operation | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())).unwrap();
    let mut wrong = Vec::new();
    // What takes something away comes last.
    for takes_away in [false, true] {
        let operations = operations.iter().filter(|(_, method, _)| (method == "DELETE") == takes_away);
        for (path, method, operation) in operations {
            let access = table::find(method, path).unwrap().access;
            let body = body_of(&document, operation);
            write!(matrix, "| `{method} {path}` |").unwrap();
            for identity in &everybody {
                let is_guests = matches!(identity.kind, Kind::Guest | Kind::OtherGuest);
                let (url, is_owned) = path_of(path, is_guests, &own);
                let headers: Vec<_> =
                    identity.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let (status, answer) = send(method, &url, &body, &headers).await;
                let came = came_of(status, &answer, is_owned);
                let wanted = expected(access, identity.kind, path, is_owned);
                if came != wanted {
                    wrong.push(format!(
                        "{method} {path} as {}: {wanted} wanted, {status} {answer}",
                        identity.name
                    ));
                }
                if came == "404" {
                    let absent = send(method, &nowhere(path), &body, &headers).await;
                    if (status, said(answer.clone())) != (absent.0, said(absent.1.clone())) {
                        wrong.push(format!(
                            "{method} {path} as {}: {answer} is not {}",
                            identity.name, absent.1
                        ));
                    }
                }
                write!(matrix, " {came} |").unwrap();
            }
            matrix.push('\n');
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    matrix
}

fn compare(matrix: &str) {
    let text = format!(
        "# Who gets in where\n\nMade by `tests/shop/access.rs`; `{UPDATE}=1 cargo test -p souk --test shop access` \
         writes it anew.\n\n## The routes\n\n{}\n## Everybody at every operation\n\nAsked of a running shop, and through a \
         gateway: `in` is let in, `401` and `403` are refused by the edge, `404` is told that what belongs to somebody else is not \
         there, in the words that are used for what is nowhere. What is expected is worked out from the table of routes; each \
         cell is both that and what came of it, for the test fails where they differ.\n\n{matrix}",
        souk_gateway::document::list()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{FILE} is not what came of it");
}
