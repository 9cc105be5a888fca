//! A trial by abuse: slow bodies, unread answers, idle and ping-only connections, held places at a gateway
//! and floods of every class of route, all at once and from many addresses, while buyers buy.
//!
//! Limits of rate are off, so that the limits of resources alone hold. Memory must stay within
//! [`MEMORY_MIB_MAX`] of its start, a buyer's calls within [`CALL_P99_MAX`], and after the end everything must
//! work as before within [`RECOVERY_MAX`]. Times are of the machine too: the trial fails only at ten times
//! the budget, and prints what it measured.

mod attacks;
mod buyer;
mod floods;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum as _};
use souk_gateway::server::files;

use crate::shop::{Memory, Server, ShopClient, admin_token, process_memory};
use crate::workspace::{self, Profile};
use attacks::{Attack, Target};
use buyer::{Buyer, Calls};

/// MiB by which each process may grow.
const MEMORY_MIB_MAX: f64 = 64.0;
/// The longest that 99 of 100 calls of a buyer are to take.
const CALL_P99_MAX: Duration = Duration::from_secs(1);
/// The longest that everything may take to work again.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// The multiple of a time's budget at which the trial fails.
const TIME_FACTOR: u32 = 10;
/// Time between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Purchases by each way before the memory of the start is taken: they fill the caches, whose growth is trade's.
const WARM_UP_PURCHASES: usize = 1_000;
/// Carts of guests that are begun before, for the same reason: as many as the shop keeps in memory.
const WARM_UP_CARTS: u64 = 8_000;
/// Files that a process may have open more than at the start, once it has recovered.
const FILES_MORE_MAX: usize = 32;

/// `cargo xtask trial abuse`.
#[derive(Args)]
pub(crate) struct AbuseOptions {
    /// Seconds of abuse.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Addresses it comes from.
    #[arg(long, default_value_t = 100)]
    addresses: u8,
    /// Kinds of attack; all of them if none is named.
    #[arg(long, value_delimiter = ',')]
    attacks: Vec<Attack>,
    /// A `souk` that is built already.
    #[arg(long)]
    souk: Option<PathBuf>,
    /// Builds `souk` without optimisation.
    #[arg(long)]
    dev: bool,
}

/// The extent of a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Seconds of abuse.
    pub(crate) seconds: u64,
    /// Addresses it comes from.
    pub(crate) addresses: u8,
}

/// Runs the trial; false when something is beyond its budget.
pub(crate) fn run(options: &AbuseOptions) -> Result<bool> {
    let profile = if options.dev { Profile::Dev } else { Profile::Release };
    let souk = options.souk.clone().map_or_else(|| workspace::build_souk(profile), Ok)?;
    let extent = Extent { seconds: options.seconds, addresses: options.addresses };
    held(&souk, extent, if options.attacks.is_empty() { Attack::value_variants() } else { &options.attacks })
}

/// Abuses a shop and a gateway in front of it in every way; false when something is beyond its budget.
pub(crate) fn abused(souk: &Path, extent: Extent) -> Result<bool> {
    held(souk, extent, Attack::value_variants())
}

fn held(souk: &Path, extent: Extent, attacks: &[Attack]) -> Result<bool> {
    let scratch = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let findings = runtime.block_on(trial(souk, scratch.path(), extent, attacks))?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    if findings.is_empty() {
        println!("the shop holds");
    }
    Ok(findings.is_empty())
}

/// A process under abuse, and its figures at the start.
struct Watched {
    name: &'static str,
    pid: u32,
    memory: Memory,
    files: usize,
}

/// The growth of a process at the moment when it was largest.
#[derive(Clone, Copy, Debug, Default)]
struct Growth {
    memory: Memory,
    files: usize,
}

impl Watched {
    fn new(name: &'static str, server: &Server) -> Result<Self> {
        let pid = server.pid();
        Ok(Self { name, pid, memory: process_memory(pid)?, files: open_files(pid)? })
    }

    /// Notes the growth until now, if it is larger than the largest before.
    fn look(&self, largest: &mut Growth) -> Result<()> {
        let memory = process_memory(self.pid)?;
        let all_mib = memory.all_mib - self.memory.all_mib;
        if all_mib > largest.memory.all_mib {
            let anonymous_mib = memory.anonymous_mib - self.memory.anonymous_mib;
            let files = open_files(self.pid)?.saturating_sub(self.files);
            *largest = Growth { memory: Memory { all_mib, anonymous_mib }, files };
        }
        Ok(())
    }
}

fn open_files(pid: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd")).context("/proc can't be read")?.count())
}

fn address_of(url: &str) -> Result<SocketAddr> {
    url.trim_start_matches("http://").parse().with_context(|| format!("{url} has no address"))
}

async fn trial(souk: &Path, scratch: &Path, extent: Extent, attacks: &[Attack]) -> Result<Vec<String>> {
    // Every attacker is a file or more here.
    files::raise_limit();
    let data = scratch.join("shop");
    let of_shop = [
        ("SOUK_TRUSTED_PROXIES", "127.0.0.1/32".to_owned()),
        ("SOUK_WEBHOOK_SECRET", "a secret of the trial".to_owned()),
        ("SOUK_ARGON2_MEMORY_KIB", "64".to_owned()),
        ("SOUK_ARGON2_PASSES", "1".to_owned()),
    ];
    let shop = Server::start_on(souk, &data, "127.0.0.1:0", &of_shop).await?;
    let of_gateway = [
        ("SOUK_ROLE", "gateway".to_owned()),
        ("SOUK_UPSTREAM_COMMANDS", shop.url.clone()),
        ("SOUK_UPSTREAM_QUERIES", shop.url.clone()),
    ];
    let gateway = Server::start_on(souk, &scratch.join("gateway"), "127.0.0.1:0", &of_gateway).await?;
    let token = admin_token(souk, &data)?;
    let direct = Buyer::new(ShopClient::new(&shop.url, token.clone())?, "direct");
    let through = Buyer::new(ShopClient::new(&gateway.url, token)?, "through");
    direct.stock().await?;
    for _ in 0..WARM_UP_PURCHASES {
        direct.buy().await?;
        through.buy().await?;
    }
    let target = Target { shop: address_of(&shop.url)?, gateway: address_of(&gateway.url)? };
    floods::begin_carts(WARM_UP_CARTS, IpAddr::V4(Ipv4Addr::LOCALHOST), target.shop).await?;
    let watched = [Watched::new("shop", &shop)?, Watched::new("gateway", &gateway)?];

    let enough = Arc::new(AtomicBool::new(false));
    let attackers = attacks::begin(target, attacks, &sources(extent.addresses), &enough);
    println!("{} attackers from {} addresses, for {} s", attackers.len(), extent.addresses, extent.seconds);
    let end = Instant::now() + Duration::from_secs(extent.seconds);
    let abuse = async { tokio::join!(direct.buy_until(end), through.buy_until(end), growth(&watched, end)) };
    let (direct_calls, through_calls, growths) = abuse.await;
    enough.store(true, Ordering::Relaxed);
    let attempts = attacks::end(attackers).await;
    println!("{attempts}");

    let mut findings = Vec::new();
    for (watched, growth) in watched.iter().zip(growths?) {
        let Growth { memory: Memory { all_mib, anonymous_mib }, files } = growth;
        println!(
            "{}: {:.0} MiB at the start, {all_mib:.0} more at most ({anonymous_mib:.0} of them not of files), \
             with {files} more files open",
            watched.name, watched.memory.all_mib
        );
        if all_mib > MEMORY_MIB_MAX {
            findings.push(format!("{} grew by {all_mib:.0} MiB", watched.name));
        }
    }
    for (name, calls) in [("directly", direct_calls), ("through the gateway", through_calls)] {
        findings.extend(judged(name, &calls));
    }
    findings.extend(recovered(&watched, [&direct, &through]).await?);
    gateway.stop()?;
    shop.stop()?;
    Ok(findings)
}

/// Loopback addresses that are nobody else's.
fn sources(count: u8) -> Vec<IpAddr> {
    (0..count).map(|number| IpAddr::V4(Ipv4Addr::new(127, 0, 1, number))).collect()
}

/// The most that each process grew by until a moment.
async fn growth(watched: &[Watched], end: Instant) -> Result<Vec<Growth>> {
    let mut largest = vec![Growth::default(); watched.len()];
    while Instant::now() < end {
        for (largest, watched) in largest.iter_mut().zip(watched) {
            watched.look(largest)?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(largest)
}

fn judged(name: &str, calls: &Calls) -> Vec<String> {
    let p99 = calls.percentile(99);
    let done = calls.done();
    let failed = calls.failed();
    println!(
        "buying {name}: {done} calls, {failed} failed; 50 % within {:.0?}, 99 % within {p99:.0?}",
        calls.percentile(50)
    );
    let mut findings = Vec::new();
    if done == 0 || failed > 0 {
        findings.push(format!("buying {name}: {failed} calls failed, {done} were answered"));
        findings.extend(calls.first_failure().map(|failure| format!("the first: {failure}")));
    }
    if p99 > CALL_P99_MAX * TIME_FACTOR {
        findings.push(format!("buying {name}: 99 % of the calls took up to {p99:.0?}"));
    }
    findings
}

/// Everything works as before soon after the end.
async fn recovered(watched: &[Watched], buyers: [&Buyer; 2]) -> Result<Vec<String>> {
    let began = Instant::now();
    for buyer in buyers {
        buyer.buy().await.context("buying after the end")?;
    }
    let bought_after = began.elapsed();
    let mut findings = Vec::new();
    for watched in watched {
        while open_files(watched.pid)? > watched.files + FILES_MORE_MAX
            && began.elapsed() < RECOVERY_MAX * TIME_FACTOR
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let files = open_files(watched.pid)?;
        if files > watched.files + FILES_MORE_MAX {
            findings.push(format!("{} has {files} files open, {} at the start", watched.name, watched.files));
        }
    }
    let recovered_after = began.elapsed();
    println!("bought {bought_after:.1?} after the end; connections closed after {recovered_after:.1?}");
    if recovered_after > RECOVERY_MAX * TIME_FACTOR {
        findings.push(format!("recovering took {recovered_after:.0?}"));
    }
    ensure!(!watched.is_empty(), "nothing was looked at");
    Ok(findings)
}
