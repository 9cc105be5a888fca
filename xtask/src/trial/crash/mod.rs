//! Crash trial: kills the real program again and again under load, and checks its data from outside at the
//! end.
//!
//! Buyers order, cancel, request refunds and correct stock. They repeat each write under its idempotency key
//! until they get a response. Webhooks are sent twice. Guests and customers order with an address, and some
//! of them request an erasure. Half of the kills come at a random moment, half at a fail point (a named place
//! in the code). At the end, stock and payments must match the orders exactly.

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
use souk_fail_points::{FAIL_POINTS, VARIABLE};

use crate::shop::{Server, ShopClient, admin_token};
use crate::workspace::{self, Profile};
use fastrand::Rng;
use load::{Load, WEBHOOK_SECRET};

/// Number of concurrent buyers.
const BUYERS: u64 = 12;
/// Longest time between a start and a kill at a random moment, in milliseconds.
const LIFE_MS_MAX: u64 = 400;
/// Longest wait until a shop reaches its fail point. After that, it is killed.
const FAIL_POINT_WAIT: Duration = Duration::from_secs(10);
/// Largest number of times that a shop reaches its fail point; it ends there the last time.
const PASSES_MAX: u64 = 20;
/// Payment timeout of an order, in seconds.
const PAYMENT_TIMEOUT_S: u64 = 4;

/// `cargo xtask trial crash`.
#[derive(Args)]
pub(crate) struct CrashOptions {
    /// Number of kills.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Seed of the random choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Program `souk` to test, with debug assertions; default: a new build.
    #[arg(long)]
    souk: Option<PathBuf>,
    /// Data folder, kept after the trial; default: a temporary folder.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Runs the trial. Returns false if the data is wrong.
pub(crate) fn run(options: &CrashOptions) -> Result<bool> {
    let souk = options.souk.clone().map_or_else(|| workspace::build_souk(Profile::Dev), Ok)?;
    let scratch = tempfile::tempdir()?;
    let data = options.data.clone().unwrap_or_else(|| scratch.path().join("shop"));
    let findings = run_kills(&souk, &data, options.kills, options.seed)?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    if findings.is_empty() {
        println!("the data is correct");
    }
    Ok(findings.is_empty())
}

/// Numbers of kills.
#[derive(Default)]
struct Kills {
    at_random_moment: u64,
    at_fail_point: u64,
}

/// Fail point that only the command `souk keys rewrap` passes. A running shop never passes it.
const REWRAP_FAIL_POINT: &str = "person-keys-rewrapped";

/// Kills a shop with the data folder `data` under load, and returns the findings of the audit.
pub(crate) fn run_kills(souk: &Path, data: &Path, kills: u64, seed: u64) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(trial(souk, data, kills, seed))
}

/// The shop that is killed and started again.
struct Target<'a> {
    souk: &'a Path,
    data: &'a Path,
    /// Address of the shop, the same after every start.
    address: String,
}

impl Target<'_> {
    /// Starts the shop. With `fail_point`, an environment variable makes it end at this fail point.
    async fn start(&self, fail_point: Option<(&'static str, String)>) -> Result<Server> {
        let common = [
            ("SOUK_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("SOUK_PAYMENT_TIMEOUT_S", PAYMENT_TIMEOUT_S.to_string()),
            // Cheap password hashes, because the trial does not test sign-ins.
            ("SOUK_ARGON2_MEMORY_KIB", "64".to_owned()),
            ("SOUK_ARGON2_PASSES", "1".to_owned()),
        ];
        let variables: Vec<_> = common.into_iter().chain(fail_point).collect();
        Server::start_on(self.souk, self.data, &self.address, &variables).await
    }

    /// Kills the shop: at a random moment, or by a restart with a fail point at which it ends.
    async fn kill(&self, server: Server, chance: &mut Rng, done: &mut Kills) -> Result<()> {
        if chance.u64(..2) == 0 {
            tokio::time::sleep(Duration::from_millis(chance.u64(..LIFE_MS_MAX))).await;
            server.kill()?;
            done.at_random_moment += 1;
            return Ok(());
        }
        server.kill()?;
        // A shop that ends before it is ready has reached its fail point during the start.
        if let Ok(mut armed) = self.start(Some(random_fail_point(chance))).await
            && !armed.ends_within(FAIL_POINT_WAIT).await?
        {
            armed.kill()?;
            done.at_random_moment += 1;
        } else {
            done.at_fail_point += 1;
        }
        Ok(())
    }
}

async fn trial(souk: &Path, data: &Path, kills: u64, seed: u64) -> Result<Vec<String>> {
    let started = Instant::now();
    println!("seed {seed}: {kills} kills");
    let target = Target { souk, data, address: free_address()? };
    let mut server = target.start(None).await?;
    let client = Arc::new(ShopClient::new(&server.url, admin_token(souk, data)?)?);
    let load = Arc::new(Load::stocked(Arc::clone(&client), seed, kills).await?);
    let enough = Arc::new(AtomicBool::new(false));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|buyer| {
            let load = Arc::clone(&load);
            let enough = Arc::clone(&enough);
            tokio::spawn(async move { load.buy(buyer, &enough).await })
        })
        .collect();

    let mut chance = Rng::with_seed(seed);
    let mut done = Kills::default();
    for kill in 0..kills {
        target.kill(server, &mut chance, &mut done).await?;
        server = target.start(None).await?;
        if (kill + 1) % 50 == 0 {
            let rate = f64::from(u32::try_from(kill + 1)?) / started.elapsed().as_secs_f64();
            println!("{} kills, {rate:.1}/s, {} acknowledged writes", kill + 1, load.acknowledged());
        }
    }
    enough.store(true, Ordering::Relaxed);
    for buyer in buyers {
        buyer.await?.context("a buyer failed")?;
    }
    let mut findings = audit::audit(&client, &load).await?;
    findings.extend(people::audit(&client, &load).await?);
    server.stop()?;
    findings.extend(people::find_plain_addresses(data)?);
    findings.extend(verify_folder(souk, data)?);
    println!(
        "{} kills at a random moment, {} at a fail point; {} acknowledged writes, {} calls repeated; log position {}; \
         {:.0} s",
        done.at_random_moment,
        done.at_fail_point,
        load.acknowledged(),
        client.retries(),
        client.highest_position(),
        started.elapsed().as_secs_f64()
    );
    ensure!(kills < 10 || done.at_fail_point > 0, "none of {kills} kills came at a fail point");
    Ok(findings)
}

/// Returns the environment variable that makes a running shop end at a random fail point, and its value: the
/// fail point, and the number of the pass at which the shop ends.
fn random_fail_point(chance: &mut Rng) -> (&'static str, String) {
    let places: Vec<_> = FAIL_POINTS.into_iter().filter(|name| *name != REWRAP_FAIL_POINT).collect();
    let place = places[chance.usize(..places.len())];
    (VARIABLE, format!("{place}:{}", 1 + chance.u64(..PASSES_MAX)))
}

/// Returns a free address. The shop uses it at every start.
fn free_address() -> Result<String> {
    Ok(format!("127.0.0.1:{}", souk_servers::free_port()?))
}

/// Checks that the log is undamaged, and that every read model equals a fresh rebuild.
fn verify_folder(souk: &Path, data: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for arguments in [&["log", "verify"][..], &["replay", "--verify"][..]] {
        let output = Command::new(souk).args(arguments).arg("--data").arg(data).output()?;
        if !output.status.success() {
            let printed = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            findings.push(format!("souk {}: {printed}{error}", arguments.join(" ")));
        }
    }
    Ok(findings)
}
