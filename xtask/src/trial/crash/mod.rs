//! A trial by killing: the real binary under a real load, killed again and again, and an audit from outside.
//!
//! Buyers order, cancel, refund and correct stock, each write under an idempotency key that it is
//! repeated with until it is answered; webhooks come twice; guests and customers say where they live, and some
//! want to be forgotten. Half of the kills come at any moment, half
//! inside a named place. At the end the books must balance, to the piece and to the penny.

mod audit;
mod load;
mod people;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use souk_fail_points::{PLACES, VARIABLE};

use crate::shop::{Server, ShopClient, admin_token};
use crate::workspace::{self, Profile};
use fastrand::Rng;
use load::{Load, WEBHOOK_SECRET};

/// Buyers at once.
const BUYERS: u64 = 12;
/// The longest a shop lives between two kills, in milliseconds.
const LIFE_MS_MAX: u64 = 400;
/// How long a shop may go on that is to end at a named place.
const PLACE_WAIT: Duration = Duration::from_secs(10);
/// The pass of the place at which it ends, at most.
const PASSES_MAX: u64 = 20;
/// Seconds an order waits for its payment.
const PAYMENT_TIMEOUT_S: u64 = 4;

/// `cargo xtask trial crash`.
#[derive(Args)]
pub(crate) struct CrashOptions {
    /// How often the shop is killed.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Tells runs apart; the same one makes the same choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A `souk` that is built already, with debug assertions.
    #[arg(long)]
    souk: Option<PathBuf>,
    /// The data folder, which is kept; else a temporary one.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Runs the trial; false when something doesn't balance.
pub(crate) fn run(options: &CrashOptions) -> Result<bool> {
    let souk = options.souk.clone().map_or_else(|| workspace::build_souk(Profile::Dev), Ok)?;
    let scratch = tempfile::tempdir()?;
    let data = options.data.clone().unwrap_or_else(|| scratch.path().join("shop"));
    let findings = killed(&souk, &data, options.kills, options.seed)?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    if findings.is_empty() {
        println!("the books balance");
    }
    Ok(findings.is_empty())
}

/// How the kills came about.
#[derive(Default)]
struct Kills {
    anywhere: u64,
    in_place: u64,
}

/// The place that only the command line passes.
const OF_REWRAPPING: &str = "person-keys-rewrapped";

/// Kills a shop on `data` so often under load, and tells what is wrong afterwards.
pub(crate) fn killed(souk: &Path, data: &Path, kills: u64, seed: u64) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(trial(souk, data, kills, seed))
}

async fn trial(souk: &Path, data: &Path, kills: u64, seed: u64) -> Result<Vec<String>> {
    let started = Instant::now();
    println!("seed {seed}: {kills} kills");
    let address = free_address()?;
    let common = [
        ("SOUK_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
        ("SOUK_PAYMENT_TIMEOUT_S", PAYMENT_TIMEOUT_S.to_string()),
        // The trial is of the shop, not of its passwords.
        ("SOUK_ARGON2_MEMORY_KIB", "64".to_owned()),
        ("SOUK_ARGON2_PASSES", "1".to_owned()),
    ];
    let mut server = Server::start_on(souk, data, &address, &common).await?;
    let client = Arc::new(ShopClient::new(&server.url, admin_token(souk, data)?)?);
    let load = Arc::new(Load::stocked(Arc::clone(&client), seed, kills).await?);
    let enough = Arc::new(AtomicBool::new(false));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|buyer| {
            let (load, enough) = (Arc::clone(&load), Arc::clone(&enough));
            tokio::spawn(async move { load.buy(buyer, &enough).await })
        })
        .collect();

    let mut chance = Rng::with_seed(seed);
    let mut done = Kills::default();
    for kill in 0..kills {
        if chance.u64(..2) == 0 {
            tokio::time::sleep(Duration::from_millis(chance.u64(..LIFE_MS_MAX))).await;
            server.kill()?;
            done.anywhere += 1;
            server = Server::start_on(souk, data, &address, &common).await?;
        } else {
            server.kill()?;
            let variables = [&common[..], &[armed(&mut chance)]].concat();
            // One that ends before it is ready has passed its place already.
            if let Ok(mut armed) = Server::start_on(souk, data, &address, &variables).await
                && !armed.ends_within(PLACE_WAIT).await?
            {
                armed.kill()?;
                done.anywhere += 1;
            } else {
                done.in_place += 1;
            }
            server = Server::start_on(souk, data, &address, &common).await?;
        }
        if (kill + 1) % 50 == 0 {
            let rate = f64::from(u32::try_from(kill + 1)?) / started.elapsed().as_secs_f64();
            println!("{} kills, {rate:.1}/s, {} answered writes", kill + 1, load.answered());
        }
    }
    enough.store(true, Ordering::Relaxed);
    for buyer in buyers {
        buyer.await?.context("a buyer gave up")?;
    }
    let mut findings = audit::open_shop(&client, &load).await?;
    findings.extend(people::audit(&client, &load).await?);
    server.stop()?;
    findings.extend(people::traces(data)?);
    findings.extend(folder(souk, data)?);
    println!(
        "{} kills at any moment, {} in a named place; {} answered writes, {} calls sent again; log at {}; {:.0} s",
        done.anywhere,
        done.in_place,
        load.answered(),
        client.retries(),
        client.highest_position(),
        started.elapsed().as_secs_f64()
    );
    ensure!(kills < 10 || done.in_place > 0, "none of {kills} kills came in a named place");
    Ok(findings)
}

/// A place that a shop at work passes, and after how many passes it ends there.
fn armed(chance: &mut Rng) -> (&'static str, String) {
    let places: Vec<_> = PLACES.into_iter().filter(|place| *place != OF_REWRAPPING).collect();
    let place = places[chance.usize(..places.len())];
    (VARIABLE, format!("{place}:{}", 1 + chance.u64(..PASSES_MAX)))
}

/// An address nobody listens on, which every start of the shop takes.
fn free_address() -> Result<String> {
    Ok(format!("127.0.0.1:{}", souk_servers::free_port()?))
}

/// The log is whole, and every read model is what a fresh rebuild makes of it.
fn folder(souk: &Path, data: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for arguments in [&["log", "verify"][..], &["replay", "--verify"][..]] {
        let output = Command::new(souk).args(arguments).arg("--data").arg(data).output()?;
        if !output.status.success() {
            let (told, error) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            findings.push(format!("souk {}: {told}{error}", arguments.join(" ")));
        }
    }
    Ok(findings)
}
