//! Abuse trial: slow bodies, unread responses, idle and ping-only connections, occupied places at a gateway,
//! and floods of every class of route. All attacks run at the same time from many addresses, while buyers
//! buy.
//!
//! Rate limits are off, so that the trial tests only the limits of resources. Memory may grow by at most
//! [`MEMORY_MIB_MAX`], 99 of 100 calls of a buyer may take at most [`CALL_P99_MAX`], and after the attacks
//! everything must work as before within [`RECOVERY_MAX`]. Since times also depend on the machine, the trial
//! fails only at [`TIME_FACTOR`] times these times. It prints all measured values.

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

/// Largest growth of the memory of each process, in MiB.
const MEMORY_MIB_MAX: f64 = 64.0;
/// Time within which 99 of 100 calls of a buyer should be complete.
const CALL_P99_MAX: Duration = Duration::from_secs(1);
/// Time after the attacks within which everything should work as before.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// Multiple of a time limit at which the trial fails.
const TIME_FACTOR: u32 = 10;
/// Time between two checks of memory and files, and before a new attack connection.
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// Purchases of each buyer before the start. They fill the caches, so that the growth of caches is not
/// measured.
const WARM_UP_PURCHASES: usize = 1_000;
/// Guest carts that are created before the start, for the same reason: as many as the shop keeps in memory.
const WARM_UP_CARTS: u64 = 8_000;
/// Largest number of additional open files of a process after its recovery.
const FILES_MORE_MAX: usize = 32;

/// `cargo xtask trial abuse`.
#[derive(Args)]
pub(crate) struct AbuseOptions {
    /// Duration of the attacks in seconds.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Number of client addresses of the attackers.
    #[arg(long, default_value_t = 100)]
    addresses: u8,
    /// Kinds of attack; default: all.
    #[arg(long, value_delimiter = ',')]
    attacks: Vec<Attack>,
    /// Program `souk` to test; default: a new build.
    #[arg(long)]
    souk: Option<PathBuf>,
    /// Builds `souk` without optimisation.
    #[arg(long)]
    dev: bool,
}

/// Duration and size of a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Duration of the attacks in seconds.
    pub(crate) seconds: u64,
    /// Number of client addresses of the attackers.
    pub(crate) addresses: u8,
}

/// Runs the trial. Returns false if a limit is exceeded.
pub(crate) fn run(options: &AbuseOptions) -> Result<bool> {
    let profile = if options.dev { Profile::Dev } else { Profile::Release };
    let souk = options.souk.clone().map_or_else(|| workspace::build_souk(profile), Ok)?;
    let extent = Extent { seconds: options.seconds, addresses: options.addresses };
    run_attacks(
        &souk,
        extent,
        if options.attacks.is_empty() { Attack::value_variants() } else { &options.attacks },
    )
}

/// Runs the trial with all kinds of attack. Returns false if a limit is exceeded.
pub(crate) fn run_all_attacks(souk: &Path, extent: Extent) -> Result<bool> {
    run_attacks(souk, extent, Attack::value_variants())
}

fn run_attacks(souk: &Path, extent: Extent, attacks: &[Attack]) -> Result<bool> {
    let scratch = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let findings = runtime.block_on(trial(souk, scratch.path(), extent, attacks))?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    if findings.is_empty() {
        println!("no limit was exceeded");
    }
    Ok(findings.is_empty())
}

/// Attacked process, with its memory and open files at the start.
struct Watched {
    name: &'static str,
    pid: u32,
    memory: Memory,
    files: usize,
}

/// Largest growth of a process since the start.
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

    /// Updates `largest` if the process has grown more.
    fn update_growth(&self, largest: &mut Growth) -> Result<()> {
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
    // Every attacker needs at least one open file in this process.
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
    floods::create_carts(WARM_UP_CARTS, IpAddr::V4(Ipv4Addr::LOCALHOST), target.shop).await?;
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
            "{}: {:.0} MiB at the start, largest growth {all_mib:.0} MiB ({anonymous_mib:.0} MiB of it anonymous), \
             with {files} more open files",
            watched.name, watched.memory.all_mib
        );
        if all_mib > MEMORY_MIB_MAX {
            findings.push(format!("{} grew by {all_mib:.0} MiB", watched.name));
        }
    }
    for (name, calls) in [("directly", direct_calls), ("through the gateway", through_calls)] {
        findings.extend(check_calls(name, &calls));
    }
    findings.extend(check_recovery(&watched, [&direct, &through]).await?);
    gateway.stop()?;
    shop.stop()?;
    Ok(findings)
}

/// Loopback addresses of the attackers.
fn sources(count: u8) -> Vec<IpAddr> {
    (0..count).map(|number| IpAddr::V4(Ipv4Addr::new(127, 0, 1, number))).collect()
}

/// Measures the largest growth of each process until `end`.
async fn growth(watched: &[Watched], end: Instant) -> Result<Vec<Growth>> {
    let mut largest = vec![Growth::default(); watched.len()];
    while Instant::now() < end {
        for (largest, watched) in largest.iter_mut().zip(watched) {
            watched.update_growth(largest)?;
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
    Ok(largest)
}

fn check_calls(name: &str, calls: &Calls) -> Vec<String> {
    let p99 = calls.percentile(99);
    let done = calls.done();
    let failed = calls.failed();
    println!(
        "buying {name}: {done} calls, {failed} failed; 50 % within {:.0?}, 99 % within {p99:.0?}",
        calls.percentile(50)
    );
    let mut findings = Vec::new();
    if done == 0 || failed > 0 {
        findings.push(format!("buying {name}: {failed} calls failed, {done} succeeded"));
        findings.extend(calls.first_failure().map(|failure| format!("the first failure: {failure}")));
    }
    if p99 > CALL_P99_MAX * TIME_FACTOR {
        findings.push(format!("buying {name}: 99 % of the calls took up to {p99:.0?}"));
    }
    findings
}

/// Checks that buyers can buy and that connections are closed soon after the attacks.
async fn check_recovery(watched: &[Watched], buyers: [&Buyer; 2]) -> Result<Vec<String>> {
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
            tokio::time::sleep(CHECK_EVERY).await;
        }
        let files = open_files(watched.pid)?;
        if files > watched.files + FILES_MORE_MAX {
            findings.push(format!("{} has {files} open files, {} at the start", watched.name, watched.files));
        }
    }
    let recovered_after = began.elapsed();
    println!("purchase {bought_after:.1?} after the end; connections closed after {recovered_after:.1?}");
    if recovered_after > RECOVERY_MAX * TIME_FACTOR {
        findings.push(format!("recovery took {recovered_after:.0?}"));
    }
    ensure!(!watched.is_empty(), "no process was checked");
    Ok(findings)
}
