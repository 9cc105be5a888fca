//! Sessions: tokens for somebody, the next ones, and the end of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use souk_domain::user::User;
use souk_domain::user::event::UserRole;
use souk_domain::{CustomerId, UserId};
use souk_http::identity::{self, Grant};
use souk_http::{Problem, Role};
use souk_sign_in::credentials::Stored;
use souk_sign_in::session::{ACCESS_TTL, Refused, SecretHash};
use souk_sign_in::{Family, RefreshToken, SignInKind};
use uuid::Uuid;

use crate::shop::Shop;
use crate::users::erasure;

use super::accounts::{self, Client};
use super::request::{SignedIn, TokenType};

/// How often a session is written back over somebody else's write.
const ATTEMPTS_MAX: usize = 5;
/// By how much clocks that read a token may be behind.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

/// Begins a session.
pub async fn open(shop: &Shop, user: UserId, role: UserRole) -> Result<SignedIn, Problem> {
    let token = RefreshToken::make(shop.clock.new_id()).map_err(|error| Problem::internal(&error))?;
    let family = Family::open(token.family, user.customer(), token.hash(), shop.clock.now());
    keep(shop, user, family).await?;
    Ok(signed_in(shop, user, role, &token))
}

/// Begins a session of a browser that comes back from an identity provider: its tokens are given for this code,
/// once, within a minute.
pub async fn open_by_code(shop: &Shop, user: UserId) -> Result<String, Problem> {
    let code = RefreshToken::make(shop.clock.new_id()).map_err(|error| Problem::internal(&error))?;
    let family = Family::open_by_code(code.family, user.customer(), code.hash(), shop.clock.now());
    keep(shop, user, family).await?;
    Ok(code.encode(&shop.keys.sign_in_code))
}

/// Keeps a session, unless its owner was erased meanwhile. It is done also when the client goes away.
async fn keep(shop: &Shop, user: UserId, family: Family) -> Result<(), Problem> {
    let of_task = shop.clone();
    let kept = tokio::spawn(async move {
        of_task.accounts.credentials.open_family(&family).await?;
        erasure::look_again(&of_task, user).await
    });
    if kept.await.map_err(|error| Problem::internal(&error))?? {
        return Err(Problem::new("unauthenticated", "the account was erased a moment ago"));
    }
    Ok(())
}

fn signed_in(shop: &Shop, user: UserId, role: UserRole, token: &RefreshToken) -> SignedIn {
    let role = match role {
        UserRole::Customer => Role::Customer,
        UserRole::Admin => Role::Admin,
    };
    let ttl = Duration::try_from(ACCESS_TTL).unwrap_or_default();
    let grant = Grant { subject: &user.customer(), role, ttl, session: Some(token.family) };
    SignedIn {
        id: user.to_string(),
        access_token: identity::issue(&shop.keys, grant, shop.clock.now(), shop.clock.new_id()),
        token_type: TokenType::Bearer,
        expires_in: ttl.as_secs(),
        refresh_token: token.encode(&shop.keys.refresh),
    }
}

fn unknown() -> Problem {
    Problem::new("unauthenticated", "the refresh token is not known, or its session has ended: sign in again")
}

fn unknown_code() -> Problem {
    Problem::new("unauthenticated", "the code is wrong, used, or older than a minute: sign in again")
}

/// Takes a refresh token for the next.
pub async fn refresh(shop: &Shop, text: &str, client: &Client<'_>) -> Result<SignedIn, Problem> {
    let token = RefreshToken::decode(text, &shop.keys.refresh).ok_or_else(unknown)?;
    advance(shop, token, client, Family::refresh, unknown).await
}

/// Takes the code of a sign-in for its first tokens.
pub async fn exchange(shop: &Shop, text: &str, client: &Client<'_>) -> Result<SignedIn, Problem> {
    let code = RefreshToken::decode(text, &shop.keys.sign_in_code).ok_or_else(unknown_code)?;
    advance(shop, code, client, Family::exchange, unknown_code).await
}

/// Takes in a session what its owner presents, for the next token; the step says whether it may.
type Step = fn(&mut Family, SecretHash, SecretHash, Timestamp) -> Result<(), Refused>;

async fn advance(
    shop: &Shop,
    token: RefreshToken,
    client: &Client<'_>,
    step: Step,
    unknown: fn() -> Problem,
) -> Result<SignedIn, Problem> {
    let next = RefreshToken::make(token.family).map_err(|error| Problem::internal(&error))?;
    for _ in 0..ATTEMPTS_MAX {
        let mut stored = find(shop, token.family).await?.ok_or_else(unknown)?;
        let now = shop.clock.now();
        let refreshed = step(&mut stored.family, token.hash(), next.hash(), now);
        if refreshed == Err(Refused::Ended) {
            return Err(unknown());
        }
        // A used token's session is refused before its end is on disk: others may be using it right now.
        if refreshed.is_err() {
            deny(shop, token.family, now).await;
        }
        if !shop.accounts.credentials.replace_family(&stored).await? {
            continue;
        }
        let user = UserId::of_customer(&stored.family.user).ok_or_else(unknown)?;
        if refreshed.is_err() {
            accounts::note(shop, SignInKind::TokenReused, Some(user), None, client).await?;
            return Err(unknown());
        }
        let loaded = shop.accounts.users.load(&User::stream(user)).await?;
        let role = loaded.and_then(|loaded| loaded.state.account().map(|account| account.role));
        return Ok(signed_in(shop, user, role.ok_or_else(unknown)?, &next));
    }
    Err(contended())
}

/// Ends the session that a refresh token belongs to, and those besides when everything is to end: also when this one
/// has ended before, since its owner asks for the others. Whose it was; none when nothing was left to end.
pub async fn end(shop: &Shop, text: &str, everywhere: bool) -> Result<Option<UserId>, Problem> {
    let token = RefreshToken::decode(text, &shop.keys.refresh).ok_or_else(unknown)?;
    let stored = find(shop, token.family).await?.ok_or_else(unknown)?;
    let has_ended = stored.family.revoked_at.is_some();
    if has_ended && !everywhere {
        return Ok(None);
    }
    let user = stored.family.user.clone();
    let (shop, owner) = (shop.clone(), user.clone());
    // To the end, also when nobody waits for it any more; this one last, so that a repeat finds it still.
    let ended = tokio::spawn(async move {
        let mut has_any_ended = !has_ended;
        if everywhere {
            has_any_ended |= end_all(&shop, &owner, Some(stored.family.id)).await?;
        }
        if !has_ended {
            revoke(&shop, stored).await?;
        }
        Ok::<_, Problem>(has_any_ended)
    });
    if !ended.await.map_err(|error| Problem::internal(&error))?? {
        return Ok(None);
    }
    UserId::of_customer(&user).map(Some).ok_or_else(unknown)
}

/// Ends all sessions of somebody, but for one. Returns true if there were any.
pub async fn end_all(shop: &Shop, user: &CustomerId, but: Option<Uuid>) -> Result<bool, Problem> {
    let mut have_ended = false;
    loop {
        let mut families = shop.accounts.credentials.families_of(user, shop.clock.now()).await?;
        families.retain(|stored| Some(stored.family.id) != but);
        if families.is_empty() {
            return Ok(have_ended);
        }
        have_ended = true;
        // What was ended is not among the next.
        for stored in families {
            revoke(shop, stored).await?;
        }
    }
}

async fn find(shop: &Shop, family: Uuid) -> Result<Option<Stored>, Problem> {
    Ok(shop.accounts.credentials.family(family).await?)
}

async fn revoke(shop: &Shop, stored: Stored) -> Result<(), Problem> {
    let id = stored.family.id;
    deny(shop, id, shop.clock.now()).await;
    let mut found = Some(stored);
    for _ in 0..ATTEMPTS_MAX {
        let Some(mut stored) = found else { return Ok(()) };
        stored.family.revoke(shop.clock.now());
        if shop.accounts.credentials.replace_family(&stored).await? {
            return Ok(());
        }
        found = find(shop, id).await?;
    }
    Err(contended())
}

/// Refuses a session's access tokens from now on.
pub async fn deny(shop: &Shop, session: Uuid, now: Timestamp) {
    shop.accounts.denials.deny(session, now + ACCESS_TTL + LEEWAY, now).await;
}

fn contended() -> Problem {
    Problem::new("revision-conflict", "the session is used by others at once; repeat the request")
}
